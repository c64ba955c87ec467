"""What a worker has in memory of one (processor, partition): tables, wishes, origins, positions. It folds nothing.

Whoever doubts it throws it away whole and makes another from the store: nothing in it is worth more than a read.
"""

from collections.abc import Iterable, Mapping
from heapq import nsmallest
from operator import attrgetter
from threading import Lock
from typing import Any, NamedTuple

import msgspec

from schemas.events import AnyEvent, Micros, TimerFired
from schemas.shapes import decoder
from streams.domain.processor import Processor
from streams.domain.state import MemoryTable, TableSpec
from streams.runtime.emissions import Silences
from streams.runtime.origins import Origins
from streams.runtime.state_store import Changes, Held, Rank, Row, StateStore, Wish

_KEEP_IN_MEMORY = 50_000
_encode = msgspec.json.encode
"""JSON as in the embedded engine's file, so that the rows of both are the same bytes."""


class Due(NamedTuple):
    """A timer that wants to be fired, and when it wanted it."""

    page: str
    timer: str
    due: Micros


def decoded(spec: TableSpec, value: bytes) -> Any:
    """Return the value of a row as the store gives it."""
    return decoder(spec.value).decode(value)


def member(page: str, key: str) -> str:
    """Return under which name a row stands in rankings."""
    return f"{page}/{key}"


def page_and_key(name: str) -> tuple[str, str]:
    """Return the page and key of a member of a ranking; page ids hold no slash, keys may."""
    page, _, key = name.partition("/")
    return page, key


class RankedTable(MemoryTable[Any]):
    """A table that also remembers what its changed values were, for the rankings to forget them."""

    def __init__(self, load: Any = None) -> None:
        super().__init__(load)
        self._before: dict[tuple[str, str], Any] = {}

    def put(self, page: str, key: str, value: Any) -> None:
        self._remember(page, key)
        super().put(page, key, value)

    def delete(self, page: str, key: str) -> None:
        self._remember(page, key)
        super().delete(page, key)

    def drain_before(self) -> dict[tuple[str, str], Any]:
        """Return for each value that changed since the last call what it was (None: absent), and forget it."""
        before, self._before = self._before, {}
        return before

    def _remember(self, page: str, key: str) -> None:
        if (page, key) not in self._before:
            self._before[page, key] = self.get(page, key)


class PartitionState:
    """Made from ``held``, to which all that is read of the store later must belong: a commit proves it.

    ``ends``: where the topics that are read from their beginning end now. ``tables``, ``positions``, ``origins`` and
    ``silences`` are for the one thread that folds; ``due`` may be asked from any.
    """

    def __init__(
        self, processor: Processor, partition: int, store: StateStore, held: Held, ends: Mapping[str, int]
    ) -> None:
        self.positions = dict(held.positions)
        self.origins = Origins(held.origins)
        self.silences = Silences(held.origins, ends)
        self.tables = {spec.name: self._table(spec) for spec in processor.tables}
        self._processor = processor
        self._partition = partition
        self._store = store
        self._specs = {spec.name: spec for spec in processor.tables}
        self._lazy = frozenset(spec.name for spec in processor.tables if spec.lazy)
        self._whole = self._lazy == frozenset(self._specs)
        self.strayed = False
        """Whether rows were read since the last commit that nothing proves to be of this state."""
        self._wishes = dict(held.wishes)
        self._wakes: dict[Wish, Micros | None] = {}
        self._reading_wishes = Lock()

    # --- reading ---

    def load(self) -> None:
        """Read the tables that are kept whole, once."""
        if self._whole:
            return
        eager = [name for name in self._specs if name not in self._lazy]
        self.strayed = True
        for (table, page, key), value in self._store.rows(self._processor.name, self._partition, eager):
            self.tables[table].fill(page, key, decoded(self._specs[table], value))
        self._whole = True

    def missing(self, wanted: Iterable[Row]) -> list[Row]:
        """Return those of the rows that are to be read before a batch that touches them."""
        tables = self.tables
        return [row for row in dict.fromkeys(wanted) if row[0] in self._lazy and not tables[row[0]].holds(*row[1:])]

    def fill(self, asked: Iterable[Row], found: Mapping[Row, bytes]) -> None:
        """Take the rows that were asked for; what was not found does not exist."""
        for row in asked:
            self._fill(row, found.get(row))

    def _fill(self, row: Row, value: bytes | None) -> None:
        table, page, key = row
        if value is None:
            self.tables[table].fill_absent(page, key)
        else:
            self.tables[table].fill(page, key, decoded(self._specs[table], value))

    def _table(self, spec: TableSpec) -> MemoryTable[Any]:
        def load(page: str, key: str) -> Any:
            row = (spec.name, page, key)
            self.strayed = True
            value = self._store.fetch(self._processor.name, self._partition, [row]).get(row)
            return None if value is None else decoded(spec, value)

        kind = MemoryTable[Any] if spec.ranked is None else RankedTable
        return kind(load if spec.lazy else None)

    # --- wishes ---

    def wake(self, event: AnyEvent, wishes: Mapping[Wish, Micros | None]) -> None:
        """Note what the step of ``event`` wished; it counts when it is committed."""
        self._wakes.update(wishes)
        data = event.data
        if isinstance(data, TimerFired) and wishes.get((event.page, data.timer)) == data.due:
            self._wakes[event.page, data.timer] = None  # a wish for the very wake-up it answers: due for ever

    def fired(self, wish: Wish, due: Micros) -> None:
        """Take a wish back because it was granted, unless a later one stands in its place."""
        standing = self._wakes[wish] if wish in self._wakes else self._wishes.get(wish)
        if standing is not None and standing <= due:
            self._wakes[wish] = None

    def due(self, now: Micros, limit: int) -> list[Due]:
        """Return up to ``limit`` committed wishes that are due, the oldest first."""
        with self._reading_wishes:
            late = [Due(*wish, due) for wish, due in self._wishes.items() if due <= now]
        return nsmallest(limit, late, key=attrgetter("due"))

    def next_due(self) -> Micros | None:
        """Return when the first of all committed wishes is due."""
        with self._reading_wishes:
            return min(self._wishes.values(), default=None)

    # --- writing ---

    def changed(self) -> int:
        """Return how many rows would be written now."""
        return sum(table.pending() for table in self.tables.values())

    def drain(self) -> Changes:
        """Return all that changed since the last call; if it cannot be committed, this state is worthless."""
        rows: dict[Row, bytes | None] = {}
        ranks: dict[Rank, int | None] = {}
        for spec in self._processor.tables:
            table = self.tables[spec.name]
            changed = table.drain()
            rows.update(
                ((spec.name, *where), None if value is None else _encode(value)) for where, value in changed.items()
            )
            if isinstance(table, RankedTable):
                for where, before in table.drain_before().items():
                    ranks.update(_moved(spec, where, before, changed[where]))
        return Changes(rows, ranks, dict(self._wakes), self.origins.drain() | self.silences.drain())

    def committed(self, topic: str, position: int) -> None:
        """What was drained is in the store, with this position: which proves all that was read for it."""
        self.strayed = False
        self.positions[topic] = position
        if self._wakes:
            with self._reading_wishes:
                for wish, due in self._wakes.items():
                    if due is None:
                        self._wishes.pop(wish, None)
                    else:
                        self._wishes[wish] = due
            self._wakes = {}
        for name in self._lazy:
            self.tables[name].shrink(_KEEP_IN_MEMORY)


def _moved(spec: TableSpec, where: tuple[str, str], before: Any, after: Any) -> Iterable[tuple[Rank, int | None]]:
    assert spec.ranked is not None, "only ranked tables remember"
    name = member(*where)
    old = {} if before is None else dict(spec.ranked(where[1], before))
    new = {} if after is None else dict(spec.ranked(where[1], after))
    for ranking in old.keys() - new.keys():
        yield (ranking, name), None
    for ranking, score in new.items():
        if old.get(ranking) != score:
            yield (ranking, name), score
