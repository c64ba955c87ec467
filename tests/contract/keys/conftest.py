from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from schemas.ids import random_id
from streams.keys.store import KeyStore
from tests.contract.keys.stores import STORES, Site, Store
from tests.parts.redis import redis_server

OpenStore = Callable[[], KeyStore]


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], int]]:
    """Give the port of one Redis, started when it is first asked for."""
    with ExitStack() as stack:
        yield cache(lambda: stack.enter_context(redis_server(tmp_path_factory.mktemp("redis"))))


@pytest.fixture
def site(tmp_path: Path, redis_port: Callable[[], int]) -> Site:
    return Site(tmp_path, random_id(), redis_port)


@pytest.fixture(params=[pytest.param(each, id=each.name, marks=each.marks) for each in STORES])
def open_store(request: pytest.FixtureRequest, site: Site) -> Iterator[OpenStore]:
    """Open the test's store, again and again where it wants; all of them are closed in the end."""
    chosen: Store = request.param
    opened: list[KeyStore] = []

    def open_it() -> KeyStore:
        opened.append(chosen.open(site))
        return opened[-1]

    yield open_it
    for each in opened:
        each.close()


@pytest.fixture
def store(open_store: OpenStore) -> KeyStore:
    return open_store()
