"""Owns the demo: a recorded outage played through the front door, and a mailbox to read what it sent."""
