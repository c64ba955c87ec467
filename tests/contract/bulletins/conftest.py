from collections.abc import Callable, Iterator
from threading import Event
from typing import NamedTuple

import pytest

from consumers.delivery.fleet_conditions import Bulletins
from schemas.ids import random_id
from tests.contract.store.stores import SERVERS, shared_redis
from tests.fakes.bulletins import FleetBulletins


class Site(NamedTuple):
    """``bulletins`` of a test's own, and how its time is let go by."""

    bulletins: Bulletins
    wait: Callable[[float], None]


@pytest.fixture(scope="session", autouse=True)
def servers() -> Iterator[None]:
    """End what the suite started, and remove its data."""
    yield
    SERVERS.close()


@pytest.fixture(params=["fake", pytest.param("redis", marks=pytest.mark.redis)])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    if request.param == "fake":
        yield _fake()
    else:
        yield from _redis()


def _fake() -> Site:
    now = [0.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    return Site(FleetBulletins(lambda: now[0]), wait)


def _wait(seconds: float) -> None:
    Event().wait(seconds)


def _redis() -> Iterator[Site]:
    server = shared_redis()
    from streams.runtime.redis_bulletins import RedisBulletins
    from streams.runtime.redis_client import redis_client

    client = redis_client(server.url)
    yield Site(RedisBulletins(client, f"{random_id()}."), _wait)
    client.close()
