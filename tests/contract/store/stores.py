"""The stores that the contract suite runs over; adding one is one line of ``STORES``."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.state_store import StateStore
from tests.parts.redis import new_redis

if TYPE_CHECKING:
    from deploy.redis.server import Redis

SERVERS = ExitStack()
"""Ended by the session's fixture."""


@dataclass(frozen=True)
class Kind:
    """``open`` opens the store of one test, given a name that no other test has."""

    name: str
    open: Callable[[str], StateStore]
    marks: tuple[pytest.MarkDecorator, ...] = ()


@cache
def shared_redis() -> "Redis":
    """Return the Redis that all tests of a process share, each with keys of its own."""
    folder = SERVERS.enter_context(TemporaryDirectory(prefix="tocsin-redis-"))
    return SERVERS.enter_context(new_redis(Path(folder)))


def _memory(name: str) -> StateStore:
    return MemoryStateStore()


def _redis(name: str) -> StateStore:
    server = shared_redis()
    from streams.runtime.redis_store import RedisStateStore

    return RedisStateStore(server.url, f"{name}.")


STORES = (Kind("memory", _memory), Kind("redis", _redis, (pytest.mark.redis,)))
