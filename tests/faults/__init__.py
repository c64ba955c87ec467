"""Faults of every kind, thrown at the distributed engine's real processes under load, and the embedded log on a full disk."""
