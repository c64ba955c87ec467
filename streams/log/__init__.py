"""The log: one port, several engines."""
