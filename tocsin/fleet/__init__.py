"""Wires the roles of the distributed engine, each a process of its own; it decides nothing that the parts decide."""
