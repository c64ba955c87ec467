"""Has many threads share a question whose answer must not be older than the moment in which it was asked."""

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedLook(Generic[T]):
    """Asks ``look`` one at a time; who comes while it is asked waits, and then shares the next answer. Thread-safe."""

    def __init__(self, look: Callable[[], T]) -> None:
        self._look = look
        self._drawing = Lock()
        self._looking = Lock()
        self._tickets = 0
        self._served = 0
        self._found: T

    def at_least_as_new(self) -> T:
        """Return an answer that was asked for after this was called; raises what ``look`` raises."""
        ticket = self._ticket()
        with self._looking:
            if self._served < ticket:
                # Whoever has drawn a ticket until here waits outside, and is served by what is asked from here on.
                with self._drawing:
                    serving = self._tickets
                self._found = self._look()
                self._served = serving
            return self._found

    def _ticket(self) -> int:
        with self._drawing:
            self._tickets += 1
            return self._tickets
