"""The read API v1: one module for each group of paths; ``router`` puts them together."""
