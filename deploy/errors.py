"""What goes wrong with programs that are not Tocsin's own, in two words."""


class PartUnavailableError(RuntimeError):
    """A program cannot be had on this machine; the message says why."""


class PartFailedError(RuntimeError):
    """A program did not start or died; the message holds the end of its log."""
