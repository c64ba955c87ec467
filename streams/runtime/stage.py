"""A stage: whatever reads the log in order and keeps a projection in the embedded engine's file."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from schemas.events import AnyEvent, Micros, TimerFired
from streams.domain.processor import Output, Processor, Unheard
from streams.domain.state import MemoryTable, memory_state
from streams.runtime import rows

_KEEP_IN_MEMORY = 100_000
BATCH = 500


class Stage(Protocol):
    """A reader of the log that the embedded driver runs in its transactions, always from one thread."""

    name: str
    topics: frozenset[str]
    types: frozenset[str]
    waits_for: tuple[str, ...]
    """Stages that must have passed a record before this one takes it."""
    batch: int
    """Events that it is given at once; few where one of them may be much work, because appenders wait for a batch."""

    def load(self, connection: sqlite3.Connection) -> None:
        """Bring memory to what the file holds; also called after a rollback."""

    def run(self, connection: sqlite3.Connection, events: Sequence[AnyEvent]) -> list[AnyEvent]:
        """Fold ``events`` and return what they bring about; nothing need be written yet."""

    def save(self, connection: sqlite3.Connection) -> None:
        """Write what changed; the driver writes the position in the same transaction."""

    def committed(self) -> None:
        """What was saved is durable."""


class StepError(RuntimeError):
    """A fold raised, though folds are total: a fault in the program; names stage and event."""

    def __init__(self, stage: str, event: AnyEvent) -> None:
        super().__init__(f"{stage} cannot fold {event.type} {event.id}")
        self.stage = stage
        self.event = event


class FoldStage:
    """Runs a pure ``Processor``. ``on_commit`` is told which pages' tables changed, by table name.

    ``patient`` lets the driver save it less often than it folds: what was not saved is folded again after a crash, and
    whatever reads its rows from the file sees them a moment later.
    """

    def __init__(
        self,
        processor: Processor,
        on_commit: Callable[[Mapping[str, MemoryTable[Any]], set[str]], None] | None = None,
        *,
        patient: bool = False,
    ) -> None:
        self.processor = processor
        self.patient = patient
        self.name = processor.name
        self.topics = frozenset(processor.topics)
        self.types = processor.types
        self.waits_for: tuple[str, ...] = ()
        self.batch = BATCH
        self.tables: dict[str, MemoryTable[Any]] = {}
        self.ignored = 0
        self._prefetch = processor.prefetch
        self._anew = False
        self._output: type[Output] = Output
        self._wakes: dict[tuple[str, str], Micros | None] = {}
        self._on_commit = on_commit
        self._touched: set[str] = set()
        self._unsaved = False

    def load(self, connection: sqlite3.Connection) -> None:
        self.tables = rows.load(connection, self.processor)
        self._wakes = {}
        self._touched = set()
        self._unsaved = False
        if self._on_commit is not None:
            pages = {page for table in self.tables.values() for page in table.pages()}
            self._on_commit(self.tables, pages)

    def begin_anew(self) -> None:
        """Fold from nothing and keep every table whole in memory: the file holds no row that is worth asking for."""
        self.tables = dict(memory_state(self.processor.tables))
        self._prefetch = None
        self._anew = True
        self._output = Unheard

    def run(self, connection: sqlite3.Connection, events: Sequence[AnyEvent]) -> list[AnyEvent]:
        if (prefetch := self._prefetch) is not None:
            wanted = [want for event in events for want in prefetch(event)]
            rows.prefetch(connection, self.processor, self.tables, wanted)
        self._unsaved = True
        emitted: list[AnyEvent] = []
        for event in events:
            emitted += self._step(event)
        return emitted

    def _step(self, event: AnyEvent) -> list[AnyEvent]:
        out = self._output(event)
        data = event.data
        if isinstance(data, TimerFired):
            if data.processor != self.name:
                return []
            self._wakes[event.page, data.timer] = None
        try:
            self.processor.step(self.tables, event, out)
        except Exception as error:  # a fold is total; whatever it raises is a fault to be named with its event
            raise StepError(self.name, event) from error
        if out.ignored is not None:
            self.ignored += 1
        if out.wakes:
            self._wakes.update(out.wakes)
        self._touched.add(event.page)
        return out.emitted

    def save(self, connection: sqlite3.Connection) -> None:
        rows.save(connection, self.name, self.tables, anew=self._anew)
        self.save_timers(connection)
        self._unsaved = False

    def save_timers(self, connection: sqlite3.Connection) -> None:
        """Write only when it wants to be woken: being woken early or twice does no harm, too late would."""
        if self._wakes:
            rows.save_timers(connection, self.name, self._wakes)
            self._wakes = {}

    def committed(self) -> None:
        if self._on_commit is not None and self._touched:
            self._on_commit(self.tables, self._touched)
        self._touched = set()
        for spec in self.processor.tables:
            if spec.lazy and not self._unsaved:
                self.tables[spec.name].shrink(_KEEP_IN_MEMORY)
