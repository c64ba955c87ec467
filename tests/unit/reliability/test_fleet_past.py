"""Uptime read from the distributed engine's store: the same past, and of one moment while the fold goes on."""

from collections.abc import Callable
from datetime import date

import msgspec

from consumers.reliability.past import FleetPast, FoldedPast
from consumers.reliability.uptime import DAY, RELIABILITY, start_of
from schemas.topics import PAGES, partition_of
from schemas.vocabulary import CellStatus
from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.state_store import Changes
from tests.unit.reliability.test_uptime import CELLS, PAGE, START, changed, defined, fold

PARTITION = partition_of(PAGE, PAGES.partitions)
PLACE = (PAGES.name, PARTITION)
AT = start_of(START)
EVENTS = [
    defined("api", ["eu", "us"], AT),
    defined("login", [], AT),
    changed(CELLS[0], CellStatus.MAJOR_OUTAGE, AT + DAY),
    changed(CELLS[0], CellStatus.OPERATIONAL, AT + 3 * DAY),
    changed(CELLS[2], CellStatus.PARTIAL_OUTAGE, AT + 5 * DAY),
]
WINDOW = date(2026, 11, 2), date(2026, 11, 4)


def commit(store: MemoryStateStore, count: int, before: int) -> None:
    tables = fold(EVENTS[:count])
    rows = {
        (name, page, key): msgspec.json.encode(value)
        for name, table in tables.items()
        for (page, key), value in table.drain().items()
        if value is not None
    }
    assert store.commit(RELIABILITY.name, PLACE, before, count, Changes(rows=rows))


def test_the_past_is_that_of_the_fold() -> None:
    store = MemoryStateStore()
    assert FleetPast(store).past(PAGE, *WINDOW) == FoldedPast(fold([])).past(PAGE, *WINDOW)
    commit(store, len(EVENTS), 0)
    found = FleetPast(store).past(PAGE, *WINDOW)
    assert found == FoldedPast(fold(EVENTS)).past(PAGE, *WINDOW)
    assert found.lost, "the days of the outage"


def test_what_moves_while_it_is_read_is_read_again() -> None:
    class Moving(MemoryStateStore):
        """A store whose fold commits while its tables are read, for as long as there are steps."""

        def __init__(self) -> None:
            super().__init__()
            self.steps: list[Callable[[], None]] = []

        def page(self, processor: str, partition: int, table: str, page: str) -> dict[str, bytes]:
            found = super().page(processor, partition, table, page)
            if self.steps:
                self.steps.pop(0)()
            return found

    store = Moving()
    commit(store, 3, 0)
    store.steps = [lambda: commit(store, 4, 3), lambda: commit(store, 5, 4)]
    assert FleetPast(store).past(PAGE, *WINDOW) == FoldedPast(fold(EVENTS)).past(PAGE, *WINDOW)
