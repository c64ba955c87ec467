"""The rules, pure: no clock, no I/O, no randomness; nothing here knows a log engine or a driver."""
