"""Looks at a Redis for what would lose state or stop workers; it changes nothing."""

import time
from collections.abc import Mapping
from typing import Any

from streams.runtime.redis_client import redis_client
from streams.runtime.redis_memory import translated
from streams.runtime.redis_store import RedisStateStore
from streams.runtime.state_store import HalfLostError


class RedisCheckup:
    """Asks a Redis. All methods block and raise StoreUnavailableError where it cannot be reached."""

    def __init__(self, url: str, namespace: str = "") -> None:
        self._url = url
        self._namespace = namespace

    def settings(self) -> list[str]:
        """Return what is wrong with its settings, one sentence each."""
        store = RedisStateStore(self._url, self._namespace)
        try:
            return store.problems()
        finally:
            store.close()

    def lost(self, partitions: Mapping[str, int]) -> list[str]:
        """Return which partitions of which processors (name to number of partitions) kept a part of their state only."""
        store = RedisStateStore(self._url, self._namespace)
        found = []
        try:
            for processor, count in partitions.items():
                for partition in range(count):
                    try:
                        store.held(processor, partition)
                    except HalfLostError as error:
                        found.append(str(error))
        finally:
            store.close()
        return found

    def clock_ahead(self) -> float:
        """Return by how many seconds its clock is ahead of ours, about; negative where it is behind."""
        client = redis_client(self._url)
        try:
            with translated():
                before = time.time()
                found: Any = client.time()
                theirs: float = found[0] + found[1] / 1_000_000
                return theirs - (before + time.time()) / 2
        finally:
            client.close()
