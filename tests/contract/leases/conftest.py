from collections.abc import Iterator

import pytest

from consumers.delivery.leases import Leases
from tests.contract.passing_time import Site, faked, on_redis
from tests.contract.store.stores import SERVERS
from tests.fakes.leases import FleetLeases


@pytest.fixture(scope="session", autouse=True)
def servers() -> Iterator[None]:
    """End what the suite started, and remove its data."""
    yield
    SERVERS.close()


@pytest.fixture(params=["fake", pytest.param("redis", marks=pytest.mark.redis)])
def site(request: pytest.FixtureRequest) -> Iterator[Site[Leases]]:
    if request.param == "fake":
        yield faked(FleetLeases)
        return
    from streams.runtime.redis_leases import RedisLeases

    with on_redis(RedisLeases) as made:
        yield made
