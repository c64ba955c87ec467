from collections.abc import Iterator
from typing import Any

import pytest

from schemas.ids import random_id
from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.redis_client import redis_client
from streams.runtime.redis_departures import RedisDepartures
from streams.runtime.redis_memory import RedisMemory
from streams.runtime.redis_store import RedisStateStore
from streams.runtime.remembering import EventMemory
from streams.runtime.state_store import StateStore
from tests.fakes.fleet import NotedDepartures, RememberedEvents

KINDS = ["memory", pytest.param("redis", marks=pytest.mark.redis)]


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from tests.parts.redis import new_redis

    with new_redis(tmp_path_factory.mktemp("redis")) as redis:
        yield redis.url


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    opened = redis_client(redis_url)
    yield opened
    opened.close()


@pytest.fixture(params=KINDS)
def event_memory(request: pytest.FixtureRequest) -> EventMemory:
    if request.param == "memory":
        return RememberedEvents()
    return RedisMemory(request.getfixturevalue("client"), f"{random_id()}.")


@pytest.fixture(params=KINDS)
def folded(request: pytest.FixtureRequest) -> Iterator[StateStore]:
    if request.param == "memory":
        yield MemoryStateStore()
        return
    store = RedisStateStore(request.getfixturevalue("redis_url"), request.getfixturevalue("namespace"))
    yield store
    store.close()


@pytest.fixture
def namespace() -> str:
    return f"{random_id()}."


@pytest.fixture
def departures(request: pytest.FixtureRequest, folded: StateStore, namespace: str) -> NotedDepartures | RedisDepartures:
    if isinstance(folded, MemoryStateStore):
        return NotedDepartures(folded)
    return RedisDepartures(request.getfixturevalue("client"), namespace)
