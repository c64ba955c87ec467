from collections.abc import Iterator

import pytest

from consumers.delivery.fleet_conditions import Bulletins
from tests.contract.passing_time import Site, faked, on_redis
from tests.contract.store.stores import SERVERS
from tests.fakes.bulletins import FleetBulletins


@pytest.fixture(scope="session", autouse=True)
def servers() -> Iterator[None]:
    """End what the suite started, and remove its data."""
    yield
    SERVERS.close()


@pytest.fixture(params=["fake", pytest.param("redis", marks=pytest.mark.redis)])
def site(request: pytest.FixtureRequest) -> Iterator[Site[Bulletins]]:
    if request.param == "fake":
        yield faked(FleetBulletins)
        return
    from streams.runtime.redis_bulletins import RedisBulletins

    with on_redis(RedisBulletins) as made:
        yield made
