"""Vendors as real servers on loopback: they check what they are asked as the vendor does, and misbehave when told to."""
