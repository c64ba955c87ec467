from collections.abc import Iterator

import pytest

from schemas.ids import random_id
from tests.contract.queue.ledgers import LEDGERS, Kind
from tests.contract.queue.town import Town
from tests.contract.store.stores import SERVERS


@pytest.fixture(scope="session", autouse=True)
def servers() -> Iterator[None]:
    """End what the suite started, and remove its data."""
    yield
    SERVERS.close()


@pytest.fixture(params=[pytest.param(each, id=each.name, marks=each.marks) for each in LEDGERS])
def town(request: pytest.FixtureRequest) -> Iterator[Town]:
    kind: Kind = request.param
    ledger = kind.open(random_id())
    yield Town(ledger)
    ledger.close()
