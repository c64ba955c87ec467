"""Runs a server for a person at a terminal: until Ctrl-C, SIGTERM or its own end; it knows no particular server."""

import signal
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from deploy.errors import PartFailedError, PartUnavailableError


class Server(Protocol):
    """What starts when it is entered and stops when it is left."""

    def wait(self) -> int:
        """Wait until it ends and return its exit code."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...


def run(make: Callable[[], Server], notice: str) -> int:
    """Run what ``make`` returns, print ``notice`` once it takes connections, and return the exit code.

    0 where it was interrupted, its own where it ended by itself, 1 where it cannot be had or did not start.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with make() as server:
            print(notice, flush=True)
            return server.wait()
    except KeyboardInterrupt:
        return 0
    except (PartFailedError, PartUnavailableError) as error:
        print(error, file=sys.stderr)
        return 1
