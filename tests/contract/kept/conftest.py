from collections.abc import Iterator

import pytest

from schemas.ids import random_id
from streams.runtime.kept import KeptBytes, MemoryKept
from tests.contract.store.stores import SERVERS, shared_redis


@pytest.fixture(scope="session", autouse=True)
def servers() -> Iterator[None]:
    """End what the suite started, and remove its data."""
    yield
    SERVERS.close()


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def kept(request: pytest.FixtureRequest) -> Iterator[KeptBytes]:
    """Give a keeper; that of Redis cuts what it keeps into pieces of three bytes."""
    if request.param == "memory":
        yield MemoryKept()
        return
    from streams.runtime.redis_client import redis_client
    from streams.runtime.redis_kept import RedisKept

    client = redis_client(shared_redis().url)
    yield RedisKept(client, f"{random_id()}.", piece=3)
    client.close()
