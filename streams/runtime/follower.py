"""Follows a whole log in one process and keeps a processor's tables in memory; it emits nothing and stores nothing.

For what each process needs whole and at hand (the status board, the audience), while the workers of the ``streams`` role
keep the same state by partition. It begins with a snapshot of theirs and goes on from there by itself, so it neither
waits for them nor loses anything when the store does.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Condition, Event, RLock, Thread
from typing import Any, TypeAlias, TypeVar

import msgspec

from schemas.events import AnyEvent, TimerFired
from streams.domain.processor import Processor, Unheard
from streams.domain.state import MemoryTable
from streams.log.origin import parse
from streams.log.port import LogUnavailableError, Positions, Stored, TopicPartition, event_of
from streams.log.tail import Tail, Tailed, TailedLog
from streams.runtime.origins import Origins
from streams.runtime.partition_state import decoded
from streams.runtime.state_store import StateStore

V = TypeVar("V")
_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.2
_AGAIN_SECONDS = 1.0
_PACE_SECONDS = 0.1
"""How long after a batch nothing is asked for: what comes in a flurry costs the broker and us a few answers, not many."""


class FollowedTable(MemoryTable[V]):
    """A table that also remembers what its values were before the batch that is being folded."""

    def __init__(self) -> None:
        super().__init__()
        self._before: dict[tuple[str, str], V | None] = {}

    def put(self, page: str, key: str, value: V) -> None:
        self._before.setdefault((page, key), self.peek(page, key))
        super().put(page, key, value)

    def delete(self, page: str, key: str) -> None:
        self._before.setdefault((page, key), self.peek(page, key))
        super().delete(page, key)

    def changed(self) -> dict[tuple[str, str], tuple[V | None, V | None]]:
        """Return what this batch changed, by page and key, as it was before and as it is; None is absent."""
        return {where: (before, self.peek(*where)) for where, before in self._before.items()}

    def forget_changes(self) -> None:
        """The batch is done."""
        self.drain()
        self._before = {}


Tables: TypeAlias = Mapping[str, FollowedTable[Any]]


class Standpoint(msgspec.Struct, frozen=True):
    """How far a follower has come: by topic and partition the offset that is read next, by partition ``Held.origins``."""

    positions: dict[str, dict[int, int]]
    origins: dict[int, dict[str, bytes]]


class FollowerStoppedError(RuntimeError):
    """The follower met a fault, which is the cause of this, and follows no more: its process should end."""


def _nowhere(_: Tables) -> None:
    return None


class Follower:
    """Folds ``processor`` over all partitions of its topics.

    ``on_batch`` is told, from the follower's thread, the tables and the pages whose tables changed; within it
    ``changed()`` of a table says what changed. It is also told once before ``start`` returns, with all pages and no
    changes, unless ``on_load`` is given: that is told the tables instead.
    What it was told of counts as passed only when it returned. ``tables``, empty ones, are for whoever needs less of a
    value than there is. ``begin`` may fill them instead of the store's snapshot, and say what they hold; all that the
    processor reads. ``on_moved`` is called after a batch, in the thread that folds, when the tables are as of ``standpoint``.
    """

    def __init__(
        self,
        processor: Processor,
        log: TailedLog,
        store: StateStore,
        on_batch: Callable[[Tables, set[str]], None] | None = None,
        *,
        on_load: Callable[[Tables], None] | None = None,
        tables: Tables | None = None,
        begin: Callable[[Tables], Standpoint | None] = _nowhere,
        on_moved: Callable[[], None] | None = None,
    ) -> None:
        self.processor = processor
        self.tables: Tables = {spec.name: FollowedTable() for spec in processor.tables} if tables is None else tables
        self._log = log
        self._store = store
        self._on_batch = on_batch
        self._on_load = on_load
        self._begin = begin
        self._on_moved = on_moved
        self._origins: dict[int, Origins] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._moved = Condition()
        self._awaited = 0
        self._folding = RLock()
        self._fault: BaseException | None = None
        self._stopped = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Take over the store's snapshot and begin to follow; raises what store and log raise."""
        self._load()
        tail = self._log.tail(self._positions, self.processor.types)
        self._thread = Thread(target=self._follow, args=(tail,), name=f"follow {self.processor.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop following; the tables stay as they are."""
        self._stopped.set()
        with self._moved:
            self._moved.notify_all()
        if self._thread is not None:
            self._thread.join()

    @property
    def fault(self) -> BaseException | None:
        """What ended the following, if anything did."""
        return self._fault

    def position(self, place: TopicPartition) -> int:
        """Return the offset that is read next; raises KeyError for a place that is not followed."""
        return self._positions[place]

    def standpoint(self) -> Standpoint:
        """Return what the tables hold; only within ``on_moved``, or when nothing is followed any more."""
        positions: dict[str, dict[int, int]] = {}
        for (topic, partition), position in self._positions.items():
            positions.setdefault(topic, {})[partition] = position
        return Standpoint(positions, {partition: origins.all() for partition, origins in self._origins.items()})

    def reached(self, topic: str) -> int:
        """Return the sum of a topic's positions: how much of it was read."""
        return sum(position for place, position in self._positions.items() if place[0] == topic)

    def passed(self, place: TopicPartition, offset: int) -> bool:
        """Return whether the tables tell of the record at ``offset``."""
        return self._positions[place] > offset

    def wait_for(self, ends: Positions, timeout: float) -> bool:
        """Wait until everything before ``ends`` is folded; False after ``timeout`` seconds.

        Raises FollowerStoppedError, and KeyError for a place that is not followed.
        """
        with self._moved:
            self._awaited += 1
            self._moved.notify_all()
            try:
                reached = self._moved.wait_for(lambda: self._fault is not None or self._reached(ends), timeout)
            finally:
                self._awaited -= 1
        if self._fault is not None:
            raise FollowerStoppedError(f"{self.processor.name} is not followed any more") from self._fault
        return reached

    @contextmanager
    def still(self) -> Iterator[Tables]:
        """Give the tables and let nothing be folded within, so that what is read there belongs together."""
        with self._folding:
            yield self.tables

    def _reached(self, ends: Positions) -> bool:
        return all(self._positions[place] >= end for place, end in ends.items())

    # --- the beginning ---

    def _load(self) -> None:
        standpoint = self._begin(self.tables)
        if standpoint is None:
            self._load_from_store()
        else:
            self._take(standpoint)
        if self._on_load is not None:
            self._on_load(self.tables)
        elif self._on_batch is not None:
            self._on_batch(self.tables, {page for table in self.tables.values() for page in table.pages()})

    def _take(self, standpoint: Standpoint) -> None:
        self._origins = {partition: Origins(held) for partition, held in standpoint.origins.items()}
        self._positions = {
            (topic, partition): position
            for topic, positions in standpoint.positions.items()
            for partition, position in positions.items()
        }

    def _load_from_store(self) -> None:
        specs = {spec.name: spec for spec in self.processor.tables}
        counts = {topic: self._log.partitions(topic) for topic in self.processor.topics}
        for partition in range(max(counts.values())):
            held, rows = self._store.snapshot(self.processor.name, partition, list(specs))
            self._origins[partition] = Origins(held.origins)
            for (table, page, key), value in rows:
                self.tables[table].fill(page, key, decoded(specs[table], value))
            for topic, count in counts.items():
                if partition < count:
                    self._positions[topic, partition] = held.positions.get(topic, 0)

    # --- the thread ---

    def _follow(self, tail: Tail) -> None:
        try:
            while not self._stopped.is_set():
                if found := self._poll(tail):
                    for tailed in found:
                        self._fold(tailed)
                    self._pause()
        except Exception as error:  # whatever it was: nothing is folded any more, and whoever waits must be told
            _log.exception("%s cannot be followed any more", self.processor.name)
            with self._moved:
                self._fault = error
                self._moved.notify_all()
        finally:
            tail.close()

    def _pause(self) -> None:
        """Let more come together, unless somebody waits for it."""
        with self._moved:
            self._moved.wait_for(lambda: self._awaited or self._stopped.is_set(), _PACE_SECONDS)

    def _poll(self, tail: Tail) -> list[Tailed]:
        try:
            return tail.poll(_POLL_SECONDS)
        except LogUnavailableError as error:
            _log.warning("%s waits for the log: %s", self.processor.name, error)
            self._stopped.wait(_AGAIN_SECONDS)
            return []

    def _fold(self, tailed: Tailed) -> None:
        with self._folding:
            pages = {event.page for stored in tailed.records if (event := self._step(tailed.place, stored)) is not None}
            if pages and self._on_batch is not None:
                self._on_batch(self.tables, pages)
            for table in self.tables.values():
                table.forget_changes()
            self._origins[tailed.place[1]].drain()  # nobody stores them here
        with self._moved:
            self._positions[tailed.place] = tailed.position
            self._moved.notify_all()
        if self._on_moved is not None:
            self._on_moved()

    def _step(self, place: TopicPartition, stored: Stored) -> AnyEvent | None:
        origin = parse(stored.record.origin)
        if origin is not None and not self._origins[place[1]].is_new(place[0], origin):
            return None
        if stored.record.type not in self.processor.types:
            return None
        event = event_of(stored.record)
        if isinstance(event.data, TimerFired) and event.data.processor != self.processor.name:
            return None
        self.processor.step(self.tables, event, Unheard(event))
        return event
