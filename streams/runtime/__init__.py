"""Drivers: they run the descriptions of ``streams.domain`` over a log, and own clocks, threads and state."""
