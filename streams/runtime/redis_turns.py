"""Lets processes of a fleet take turns at what two of them had better not do at once. It guards nothing that must hold.

A turn ends with its time, whoever is still at it: what is done in turns must do no harm when it is done by two.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import redis

from streams.runtime.redis_memory import translated
from streams.runtime.state_store import StoreUnavailableError

LONGEST = timedelta(minutes=1)
PATIENCE = timedelta(minutes=3)


class RedisTurns:
    """Turns by name; ``namespace`` stands before every key."""

    def __init__(self, client: "redis.Redis", namespace: str) -> None:
        self._client = client
        self._prefix = f"{namespace}turn/"

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Wait for a turn and have it within the block; raises StoreUnavailableError where none comes in time."""
        lock: Any = self._client.lock(
            f"{self._prefix}{name}", timeout=LONGEST.total_seconds(), blocking_timeout=PATIENCE.total_seconds()
        )
        with translated():
            if not lock.acquire():
                raise StoreUnavailableError(f"another process is at {name} for too long")
        try:
            yield
        finally:
            try:
                lock.release()
            except redis.exceptions.LockError:
                pass  # it took longer than a turn lasts: somebody else has it now
            except redis.RedisError:
                pass  # it ends by itself
