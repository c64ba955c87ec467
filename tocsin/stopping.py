"""Ends a program in good order on SIGTERM and Ctrl-C: what runs is unwound, so that folders are closed."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _StopError(SystemExit):
    """Raised where the signal arrives. Being a SystemExit, it is not mistaken for a failure on its way out."""


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise _StopError


@contextmanager
def until_stopped() -> Iterator[None]:
    """Run the block until it ends or a signal ends it; for the main thread.

    uvicorn takes the signals over while it serves, and raises them anew once it has stopped: without a handler of ours
    that would kill the process before its folder is closed.
    """
    before = {one: signal.signal(one, _stop) for one in _SIGNALS}
    try:
        yield
    except _StopError:
        pass
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
