"""Where the fold of uptime is read from: the committed rows of either engine, or the tables of a replay."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple, Protocol

from consumers.reliability.uptime import (
    CELLS,
    DAYS,
    DEFAULT_WEIGHT,
    ONLY,
    RELIABILITY,
    WEIGHTS,
    CellHistory,
    Lost,
)
from schemas.shapes import decoder
from schemas.topics import PAGES, partition_of
from streams.domain.state import State
from streams.runtime.partition_state import decoded
from streams.runtime.state_store import StateStore


class Past(NamedTuple):
    """A page's past as of one moment: its cells, the lost time of some days by cell, and the weight of a partial outage."""

    cells: dict[str, CellHistory]
    lost: dict[str, dict[date, Lost]]
    weight: float


class PastReader(Protocol):
    """Reads the state of ``RELIABILITY``; may block, may be called from any thread."""

    def past(self, page: str, first: date, last: date) -> Past:
        """Return the page's past, with the lost time of the UTC days from ``first`` to ``last``."""


Query = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
"""``SqliteEventLog.query``: reads what is committed."""

# One statement and so one moment: a status that changes between two would be counted twice or not at all.
_ROWS = """
select tbl, key, value from state where stage = ?1 and tbl = ?2 and page = ?5
union all select tbl, key, value from state where stage = ?1 and tbl = ?3 and page = ?5
union all select tbl, key, value from state where stage = ?1 and tbl = ?4 and page = ?5 and key >= ?6 and key < ?7
"""


class StoredPast:
    """Reads the embedded engine's file."""

    def __init__(self, query: Query) -> None:
        self._query = query

    def past(self, page: str, first: date, last: date) -> Past:
        # "0" follows "/" in ASCII: the range ends behind the last key of the last day.
        bounds = first.isoformat(), f"{last.isoformat()}0"
        rows = self._query(_ROWS, (RELIABILITY.name, CELLS, WEIGHTS, DAYS, page, *bounds))
        by_table: dict[str, dict[str, Any]] = {CELLS: {}, WEIGHTS: {}, DAYS: {}}
        for table, key, value in rows:
            by_table[table][key] = decoder(_VALUES[table]).decode(value)
        return _past(by_table)


class FleetPast:
    """Reads the distributed engine's store."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def past(self, page: str, first: date, last: date) -> Past:
        partition = partition_of(page, PAGES.partitions)
        before, rows = self._store.positions(RELIABILITY.name, partition), dict[str, dict[str, bytes]]()
        for _ in range(_TRIES):
            rows = {
                table: self._store.page(RELIABILITY.name, partition, table, page) for table in (CELLS, WEIGHTS, DAYS)
            }
            after = self._store.positions(RELIABILITY.name, partition)
            if after == before:  # so the three tables were read as of one moment
                break
            before = after
        bounds = first.isoformat(), f"{last.isoformat()}0"
        rows[DAYS] = {key: value for key, value in rows[DAYS].items() if bounds[0] <= key < bounds[1]}
        return _past(
            {table: {key: decoded(_SPECS[table], row) for key, row in found.items()} for table, found in rows.items()}
        )


class FoldedPast:
    """Reads tables in memory, as a replay has them."""

    def __init__(self, tables: State) -> None:
        self._tables = tables

    def past(self, page: str, first: date, last: date) -> Past:
        bounds = first.isoformat(), f"{last.isoformat()}0"
        days = {key: lost for key, lost in self._tables[DAYS].items(page) if bounds[0] <= key < bounds[1]}
        cells, weights = dict(self._tables[CELLS].items(page)), dict(self._tables[WEIGHTS].items(page))
        return _past({CELLS: cells, WEIGHTS: weights, DAYS: days})


_VALUES: Mapping[str, Any] = {spec.name: spec.value for spec in RELIABILITY.tables}
_SPECS = {spec.name: spec for spec in RELIABILITY.tables}
_TRIES = 10


def _past(tables: Mapping[str, dict[str, Any]]) -> Past:
    lost: dict[str, dict[date, Lost]] = {}
    for key, value in tables[DAYS].items():
        day, _, cell = key.partition("/")
        lost.setdefault(cell, {})[date.fromisoformat(day)] = value
    return Past(tables[CELLS], lost, tables[WEIGHTS].get(ONLY, DEFAULT_WEIGHT))
