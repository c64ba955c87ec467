"""The embedded driver: runs all stages over the log inside the writer's transactions.

What a batch appends, what the folds make of it, their states and their positions become durable with one sync.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence

import msgspec

from schemas.events import AnyEvent, Event, Micros, TimerFired
from schemas.ids import derive
from streams.log.port import Stored, event_of, record_of
from streams.log.sqlite import SqliteEventLog
from streams.runtime.clock import Clock
from streams.runtime.rows import save_timers
from streams.runtime.stage import FoldStage, Stage, StepError

_log = logging.getLogger(__name__)
_READ = 500
_BUDGET = 2_000
_BUDGET_SECONDS = 0.1
"""What one transaction folds at the most, in events and time: bounds how long an appender waits for others' folds."""
_TIMERS = 200
_EVERYWHERE = 0
"""The place under which a stage's position in the whole log is kept; partitions have places of their own."""
_SAVE_POSITIONS = 'insert or replace into positions ("group", place, position) select key, ?, value from json_each(?)'
"""One statement for all stages: each statement of the writer gives up the interpreter and waits to have it back."""
Listener = Callable[[], None]
_STORM = 50
"""Records in one transaction from which on a patient stage is not saved with it: its rows lie all over the file, and
many at once, in the order of their keys, cost half."""
_MOST_UNSAVED = 20_000
"""Records that a patient stage may have folded and not saved: what a crash makes it fold again."""
_QUIET_SECONDS = 0.02
"""How long nothing need happen until what is unsaved is saved."""


class EmbeddedDriver:
    """Drives ``stages`` in their order, so that one that reads what another emits stands behind it."""

    def __init__(self, log: SqliteEventLog, stages: Sequence[Stage], clock: Clock) -> None:
        self._log = log
        self._stages = tuple(stages)
        self._clock = clock
        self._cursors: dict[str, int] = {}
        self._saved: dict[str, int] = {}
        self._saving: dict[str, int] = {}
        self._passed: dict[str, int] = {}
        self._due: Micros | None = None
        self._listeners: list[Listener] = []
        self._poison: set[tuple[str, str]] = set()
        self._careful: set[str] = set()
        self._unmet = 0
        """The first offset that no stage can have met in an earlier life, or before a rollback."""
        self._lately: tuple[tuple[int, int], list[tuple[Stored, AnyEvent | None]], set[str]] | None = None
        log.submit(self._load).result()

    def start(self) -> None:
        """Begin to drive; from now on every append is folded in its own transaction."""
        self._log.attach(self)

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` after every transaction, from the writer's thread: it must be quick."""
        self._listeners.append(listener)

    def position(self, stage: str) -> int:
        """Return the offset that ``stage`` reads next; grows before the commit."""
        return self._cursors[stage]

    def committed_position(self, stage: str) -> int:
        """Return the offset below which everything that ``stage`` made is durable (or made again) and published."""
        return self._passed[stage]

    def lag(self) -> dict[str, int]:
        """Return for each stage how many records of the log it has not passed."""
        return {stage.name: self._log.last + 1 - self._cursors[stage.name] for stage in self._stages}

    # --- group_commit.Pump ---

    def work(self, connection: sqlite3.Connection) -> bool:
        self._saving = {}
        self._fire_timers(connection)
        budget, until = _BUDGET, time.monotonic() + _BUDGET_SECONDS
        progress = True
        while progress and budget > 0 and time.monotonic() < until:
            progress = False
            for stage in self._stages:
                taken = self._advance(stage, connection)
                budget -= taken
                progress = progress or taken > 0
        for stage in self._stages:
            self._save(stage, connection)
        if self._saving:
            connection.execute(_SAVE_POSITIONS, (_EVERYWHERE, msgspec.json.encode(self._saving).decode()))
        self._due = _first_due(connection)
        return progress

    def committed(self) -> None:
        self._saved.update(self._saving)
        for stage in self._stages:
            if self._cursors[stage.name] != self._passed[stage.name]:
                stage.committed()
                self._passed[stage.name] = self._cursors[stage.name]
        self._log.passed(min(self._cursors.values(), default=0))
        for listener in self._listeners:
            listener()

    def rolled_back(self) -> None:
        self._saving = {}
        self._load(self._log.writer_connection)

    def sleep(self) -> float | None:
        due = None if self._due is None else max(0.0, (self._due - self._clock()) / 1_000_000)
        if self._saved == self._cursors:
            return due
        return _QUIET_SECONDS if due is None else min(due, _QUIET_SECONDS)

    # --- inside ---

    def _load(self, connection: sqlite3.Connection) -> None:
        for stage in self._stages:
            stage.load(connection)
            row = connection.execute(
                'select position from positions where "group" = ? and place = ?', (stage.name, _EVERYWHERE)
            ).fetchone()
            position = 1 if row is None else row[0]
            self._cursors[stage.name] = self._saved[stage.name] = self._passed[stage.name] = position
        self._due = _first_due(connection)
        self._unmet = self._log.last + 1
        self._lately = None

    def _advance(self, stage: Stage, connection: sqlite3.Connection) -> int:
        found, kinds = self._read(self._cursors[stage.name], connection)
        if stage.waits_for:
            limit = min(self._cursors[name] for name in stage.waits_for)
            found = [pair for pair in found if pair[0].offset < limit]
        if not found:
            return 0
        types = stage.types
        wanted = (
            []
            if types.isdisjoint(kinds)
            else [
                index
                for index, (stored, _) in enumerate(found)
                if stored.record.type in types and self._wants(stage, stored)
            ]
        )
        batch = 1 if stage.name in self._careful else stage.batch
        if len(wanted) > batch:
            found = found[: wanted[batch]]
        if wanted:
            self._run(stage, connection, [found[index] for index in wanted[:batch]])
        self._cursors[stage.name] = found[-1][0].offset + 1
        return len(found)

    def _read(
        self, cursor: int, connection: sqlite3.Connection
    ) -> "tuple[list[tuple[Stored, AnyEvent | None]], set[str]]":
        """Return the next records from ``cursor`` and their types; most stages stand at one place, and ask the same."""
        where = cursor, self._log.last
        if self._lately is None or self._lately[0] != where:
            found = self._log.fresh(cursor, _READ)
            if found is None:
                found = [(stored, None) for stored in self._log.read_all(cursor, _READ, connection)]
            self._lately = where, found, {stored.record.type for stored, _ in found}
        return self._lately[1:]

    def _run(self, stage: Stage, connection: sqlite3.Connection, chosen: list[tuple[Stored, AnyEvent | None]]) -> None:
        """Fold, and append what that brings about; an event that cannot be folded is passed over from then on."""
        try:
            events = [event_of(stored.record) if event is None else event for stored, event in chosen]
            emitted = stage.run(connection, events)
            if emitted:
                # Its id is its cause's: what follows from a record that was never folded before cannot be on the log.
                first = chosen[0][0].offset >= self._unmet
                self._log.append_within(connection, [record_of(event) for event in emitted], emitted, first=first)
        except sqlite3.Error:
            raise
        except StepError as error:
            self._poison.add((error.stage, error.event.id))
            raise
        except Exception:  # which of the events it was is found by folding them one by one
            if len(chosen) == 1:
                self._poison.add((stage.name, chosen[0][0].record.id))
            self._careful.add(stage.name)
            raise

    def _wants(self, stage: Stage, stored: Stored) -> bool:
        record = stored.record
        if record.topic not in stage.topics:
            return False
        return not self._poison or (stage.name, record.id) not in self._poison

    def _save(self, stage: Stage, connection: sqlite3.Connection) -> None:
        """Write the stage's state and note its position, together or not at all in this transaction."""
        name, cursor = stage.name, self._cursors[stage.name]
        if cursor == self._saved[name]:
            return
        if isinstance(stage, FoldStage) and stage.patient and self._may_wait(name, cursor):
            stage.save_timers(connection)
            return
        stage.save(connection)
        self._saving[name] = cursor

    def _may_wait(self, stage: str, cursor: int) -> bool:
        return cursor - self._passed[stage] >= _STORM and cursor - self._saved[stage] < _MOST_UNSAVED

    def _fire_timers(self, connection: sqlite3.Connection) -> None:
        now = self._clock()
        if self._due is None or self._due > now:
            return
        folds = {stage.name: stage for stage in self._stages if isinstance(stage, FoldStage)}
        for name, page, timer, due in connection.execute(
            "select stage, page, timer, due from timers where due <= ? order by due limit ?", (now, _TIMERS)
        ).fetchall():
            if name not in folds:
                continue  # a stage of another version
            event = timer_event(name, page, timer, due, now)
            processor = folds[name].processor
            at = processor.topics[0], processor.timer_key(page, timer)
            [appended] = self._log.append_events(connection, [event], at)
            if appended.duplicate and appended.offset < self._cursors[name]:
                # The stage met this very wake-up and asked for it again: it would be due for ever.
                save_timers(connection, name, {(page, timer): None})
        self._due = None


def timer_event(stage: str, page: str, timer: str, due: Micros, now: Micros) -> AnyEvent:
    """Return the wake-up of one timer; its id depends on which timer it is and when it was due, not on ``now``."""
    identifier = derive("timer", stage, page, timer, str(due))
    return Event(identifier, page, due, now, "tocsin", None, None, False, TimerFired(stage, timer, due))


def _first_due(connection: sqlite3.Connection) -> Micros | None:
    due: Micros | None = connection.execute("select min(due) from timers").fetchone()[0]
    return due
