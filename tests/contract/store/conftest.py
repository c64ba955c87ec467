from collections.abc import Iterator

import pytest

from schemas.ids import random_id
from streams.runtime.state_store import StateStore
from tests.contract.store.stores import SERVERS, STORES, Kind


@pytest.fixture(scope="session", autouse=True)
def servers() -> Iterator[None]:
    """End what the suite started, and remove its data."""
    yield
    SERVERS.close()


@pytest.fixture(params=[pytest.param(each, id=each.name, marks=each.marks) for each in STORES])
def store(request: pytest.FixtureRequest) -> Iterator[StateStore]:
    kind: Kind = request.param
    opened = kind.open(random_id())
    yield opened
    opened.close()
