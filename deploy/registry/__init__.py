"""A real schema registry for development and tests: Apicurio's, of Maven Central, beside a real Kafka."""
