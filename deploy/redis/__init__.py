"""A real Redis for development, tests and CI, without Docker. Nothing of the product imports it."""
