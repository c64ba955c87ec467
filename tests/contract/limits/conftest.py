from collections.abc import Callable, Iterator

import pytest
from limits.storage import MemoryStorage, Storage

from schemas.ids import random_id
from tests.contract.store.stores import SERVERS, shared_redis


@pytest.fixture(scope="session", autouse=True)
def servers() -> Iterator[None]:
    """End what the suite started, and remove its data."""
    yield
    SERVERS.close()


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def storage(request: pytest.FixtureRequest) -> Callable[[], Storage]:
    """Return what gives each of a fleet's processes its way to the counts of this test."""
    if request.param == "memory":
        shared = MemoryStorage()
        return lambda: shared
    from streams.runtime.redis_limits import redis_limits

    url, namespace = shared_redis().url, f"{random_id()}."
    return lambda: redis_limits(url, namespace)
