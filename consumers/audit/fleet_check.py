"""Compares what the fleet's workers stored with a fresh fold of the log, byte for byte, as of the stored positions.

It reads and never repairs, beside running workers: what it compares is one moment of each (processor, partition).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from heapq import merge
from itertools import groupby, islice
from operator import attrgetter

from consumers.audit.check import Agreement
from consumers.audit.parts import Difference, difference
from consumers.delivery.ledger_processor import LEDGER
from consumers.delivery.subscribers import PROCESSOR as SUBSCRIBERS
from consumers.projection.board import STATUS
from consumers.reliability.uptime import RELIABILITY
from schemas import codec
from streams.domain.episodes import EPISODES
from streams.domain.pages import PAGES
from streams.domain.processor import Processor
from streams.log.port import Appended, EventLog, LogCorruptError, Record, Stored
from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.partition_fold import PartitionFold
from streams.runtime.partition_state import decoded
from streams.runtime.partition_steps import Message
from streams.runtime.state_store import Held, Row, StateStore

PROCESSORS: tuple[Processor, ...] = (EPISODES, PAGES, STATUS, RELIABILITY, SUBSCRIBERS, LEDGER)
"""Those whose state follows from the log. The planner is not among them: what it makes is the record."""
_READ = 2_000
_BATCH = 500
_ALL = 2**31


def check(
    log: EventLog, store: StateStore, progress: Callable[[int], None], processors: Sequence[Processor] = PROCESSORS
) -> Agreement | Difference:
    """Fold each partition of each processor anew and compare; ``progress`` is told how many events were folded.

    Raises LogCorruptError for an event that cannot be read or folded, LogUnavailableError and StoreUnavailableError.
    """
    events = rows = 0
    for processor in processors:
        for partition in range(log.partitions(processor.topics[0])):
            one = _Check(processor, partition, log, store)
            found = one.compare(partial(_further, progress, events))
            if isinstance(found, Difference):
                return found
            events += found.events
            rows += found.rows
    return Agreement(events, rows)


def _further(progress: Callable[[int], None], before: int, done: int) -> None:
    progress(before + done)


class _Unwritten:
    """The log, on which nothing is written: what follows from it lies there already."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.partitions = log.partitions
        self.read = log.read
        self.end = log.end
        self.scan = log.scan
        self.find = log.find
        self.positions = log.positions
        self.commit = log.commit

    def append(self, records: Sequence[Record]) -> list[Appended]:
        return []

    def close(self) -> None:
        """Whoever opened the log closes it."""


class _Check:
    """One (processor, partition)."""

    def __init__(self, processor: Processor, partition: int, log: EventLog, store: StateStore) -> None:
        self._processor = processor
        self._partition = partition
        self._log = log
        self._store = store
        self._tables = [spec.name for spec in processor.tables]

    def compare(self, progress: Callable[[int], None]) -> Agreement | Difference:
        held, rows = self._store.snapshot(self._processor.name, self._partition, self._tables)
        for topic, position in held.positions.items():
            end = self._log.end(topic)[self._partition] if topic in self._processor.topics else 0
            if position > end:
                return Difference(
                    self._processor.name, "positions", f"{topic}[{self._partition}]", str(position), f"at most {end}"
                )
        replayed = MemoryStateStore()
        events = self._fold(held.positions, replayed, progress)
        expected, expected_rows = replayed.snapshot(self._processor.name, self._partition, self._tables)
        found = self._compare_rows(dict(rows), dict(expected_rows)) or self._compare_wishes(held, expected)
        found = found or self._compare_ranks(held, replayed, dict(expected_rows))
        return found or Agreement(events, len(rows) + len(held.wishes))

    def _fold(self, positions: Mapping[str, int], into: MemoryStateStore, progress: Callable[[int], None]) -> int:
        fold = PartitionFold(self._processor, _Unwritten(self._log), into)
        fold.assigned([self._partition])
        lines = (self._records(topic, position) for topic, position in positions.items())
        events = 0
        for topic, records in groupby(merge(*lines, key=_arrival), key=attrgetter("record.topic")):
            while batch := [_message(stored) for stored in islice(records, _BATCH)]:
                fold.fold((topic, self._partition), batch)
                events += len(batch)
                progress(events)
        if fold.poisoned:
            raise LogCorruptError(f"{self._processor.name}[{self._partition}] cannot fold {fold.poisoned} events")
        return events

    def _records(self, topic: str, end: int) -> Iterator[Stored]:
        start = 0
        while found := [
            stored for stored in self._log.read(topic, self._partition, start, _READ) if stored.offset < end
        ]:
            yield from found
            start = found[-1].offset + 1

    # --- comparing ---

    def _compare_rows(self, live: Mapping[Row, bytes], replayed: Mapping[Row, bytes]) -> Difference | None:
        for row in sorted(live.keys() | replayed.keys()):
            here, there = live.get(row), replayed.get(row)
            if here != there:
                return difference(self._processor.name, row[0], "/".join(row[1:]), here, there)
        return None

    def _compare_wishes(self, live: Held, replayed: Held) -> Difference | None:
        for wish in sorted(live.wishes.keys() | replayed.wishes.keys()):
            here, there = live.wishes.get(wish), replayed.wishes.get(wish)
            if here != there:
                return difference(self._processor.name, "timers", "/".join(wish), here, there)
        return None

    def _compare_ranks(self, held: Held, replayed: MemoryStateStore, rows: Mapping[Row, bytes]) -> Difference | None:
        """Compare the rankings, which the store gives one by one: only where nobody commits meanwhile."""
        name = self._processor.name
        for ranking in sorted(self._rankings(rows)):
            live = dict(self._store.ranked(name, self._partition, ranking, None, _ALL))
            there = dict(replayed.ranked(name, self._partition, ranking, None, _ALL))
            if live != there and self._store.positions(name, self._partition) == held.positions:
                key = min(key for key in live.keys() | there.keys() if live.get(key) != there.get(key))
                return difference(name, ranking, key, live.get(key), there.get(key))
        return None

    def _rankings(self, rows: Mapping[Row, bytes]) -> set[str]:
        specs = {spec.name: spec for spec in self._processor.tables if spec.ranked is not None}
        found: set[str] = set()
        for (table, _, key), value in rows.items():
            spec = specs.get(table)
            if spec is not None and spec.ranked is not None:
                found.update(ranking for ranking, _ in spec.ranked(key, decoded(spec, value)))
        return found


def _arrival(stored: Stored) -> int:
    return stored.record.recorded_at


def _message(stored: Stored) -> Message:
    record = stored.record
    return Message(stored.offset, record.type, codec.frame(record.fingerprint, record.body), record.origin)
