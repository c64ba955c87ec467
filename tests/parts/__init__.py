"""Real programs for the tests: where they come from. It must not know what the tests do with them."""
