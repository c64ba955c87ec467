"""The contract: event types, their Avro schemas, the topics they travel on, and the codec."""
