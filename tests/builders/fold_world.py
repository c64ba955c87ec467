"""A small fleet in one process: processors that show every loss and every doubling, a log like Kafka, and its faults."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from schemas.codec import frame
from schemas.events import AlertRefreshed, AnyEvent, Event, PromiseReminded, TimerFired
from schemas.ids import derive
from schemas.topics import instance_key, partition_of
from streams.domain.processor import Output, Processor
from streams.domain.state import State, TableSpec
from streams.log.memory import MemoryEventLog
from streams.log.port import Appended, LogUnavailableError, Record, Stored, TopicPartition, record_of
from streams.runtime.embedded import timer_event
from streams.runtime.emissions import Emissions
from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.partition_fold import PartitionFold
from streams.runtime.partition_steps import Message
from streams.runtime.state_store import Changes, StoreUnavailableError

ALERTS, PAGES = "tocsin.alerts", "tocsin.pages"
PARTITIONS = 2
PAGE_NAMES = ("acme", "soylent")
Rows = dict[tuple[str, str, str], Any]


class KafkaLikeLog(MemoryEventLog):
    """A log that looks up no ids, and of which an append may fail after some of its records are stored.

    Each of ``faults`` is for one append to come: how many records are stored before it fails, None for no fault.
    """

    def __init__(self) -> None:
        super().__init__({ALERTS: PARTITIONS, PAGES: PARTITIONS})
        self.faults: deque[int | None] = deque()

    def append(self, records: Sequence[Record]) -> list[Appended]:
        stored = self.faults.popleft() if self.faults else None
        if stored is None:
            return super().append(records)
        super().append(records[:stored])
        raise LogUnavailableError("the broker went away")

    def _append(self, record: Record) -> Appended:
        self._ids.pop(record.id, None)
        return super()._append(record)


class FaultyStore(MemoryStateStore):
    """Each of ``faults`` is for one commit to come: it fails "before" or "after" it is written, None for no fault.

    ``before_commit`` is called each time: where another worker comes in.
    """

    def __init__(self) -> None:
        super().__init__()
        self.faults: deque[str | None] = deque()
        self.before_commit: Callable[[], None] = lambda: None
        self.commits = 0

    def commit(self, processor: str, place: TopicPartition, expected: int, new: int, changes: Changes) -> bool:
        self.before_commit()
        self.commits += 1
        fault = self.faults.popleft() if self.faults else None
        if fault == "before":
            raise StoreUnavailableError("the store went away")
        done = super().commit(processor, place, expected, new, changes)
        if fault == "after":
            raise StoreUnavailableError("the store's answer was lost")
        return done


class Seen(msgspec.Struct, frozen=True):
    """All that was ever seen of one instance, in order: what is folded twice or not at all shows."""

    numbers: tuple[int, ...] = ()


def _count(state: State, event: AnyEvent, out: Output) -> None:
    """Say each new count of an instance twice, and ask to be woken at every third."""
    match event.data:
        case AlertRefreshed(fingerprint=fingerprint, expires_at=number):
            seen = (state["counts"].get(event.page, fingerprint) or Seen()).numbers
            state["counts"].put(event.page, fingerprint, Seen((*seen, number)))
            for rank in range(2):
                out.emit(PromiseReminded(fingerprint, 10 * len(seen) + rank), event.occurred_at)
            if len(seen) % 3 == 2:
                out.wake(f"third:{fingerprint}", event.recorded_at + 5)
        case TimerFired(timer=timer, due=due):
            state["fired"].put(event.page, f"{timer}@{due}", 1)
        case _:
            out.ignore("nothing of mine")


def _wanted(event: AnyEvent) -> Iterable[tuple[str, str, str]]:
    return [("counts", event.page, event.data.fingerprint)] if isinstance(event.data, AlertRefreshed) else []


def _timer_key(page: str, timer: str) -> str:
    return instance_key(page, "prom", timer.removeprefix("third:"))


COUNTING = Processor(
    name="counting",
    topics=(ALERTS,),
    types=frozenset({"AlertRefreshed", "TimerFired"}),
    tables=(
        TableSpec("counts", Seen, lazy=True, ranked=lambda key, seen: [("many", len(seen.numbers))]),
        TableSpec("fired", int),
    ),
    step=_count,
    prefetch=_wanted,
    timer_key=_timer_key,
)


def _echo(state: State, event: AnyEvent, out: Output) -> None:
    """Write down all that was said, and say it once more on one's own topic."""
    assert isinstance(event.data, PromiseReminded)
    said, number = event.data.incident, event.data.promise_at
    state["said"].put(event.page, said, Seen((*(state["said"].get(event.page, said) or Seen()).numbers, number)))
    if not said.startswith("echo:"):
        out.emit(PromiseReminded(f"echo:{said}", number), event.occurred_at)


ECHO = Processor("echo", (PAGES,), frozenset({"PromiseReminded"}), (TableSpec("said", Seen),), _echo)


def _sum(state: State, event: AnyEvent, out: Output) -> None:
    """Read both topics and count: each by itself, and both in one row, in which a paused worker's old state would show."""
    match event.data:
        case AlertRefreshed(fingerprint=name) | PromiseReminded(incident=name):
            key = f"{event.type}/{name}"
            state["sums"].put(event.page, key, (state["sums"].get(event.page, key) or 0) + 1)
            state["totals"].put(event.page, "all", (state["totals"].get(event.page, "all") or 0) + 1)
        case _:
            out.ignore("nothing of mine")


BOTH = Processor(
    name="both",
    topics=(ALERTS, PAGES),
    types=frozenset({"AlertRefreshed", "PromiseReminded"}),
    tables=(TableSpec("sums", int, lazy=True), TableSpec("totals", int)),
    step=_sum,
)
PROCESSORS = (COUNTING, ECHO, BOTH)


def alert(number: int, page: str = "acme", fingerprint: str = "load") -> Record:
    """Return an alert that says ``number``."""
    data = AlertRefreshed(source="prom", fingerprint=fingerprint, episode="e1", expires_at=number)
    identifier = derive("alert", page, str(number))
    return record_of(Event(identifier, page, 1, number, "source:prom", None, None, drill=False, data=data))


def message(stored: Stored) -> Message:
    """Return a record as a worker gets it."""
    record = stored.record
    return Message(stored.offset, record.type, frame(record.fingerprint, record.body), record.origin)


class World:
    """A log, a store, and as many workers as one likes."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.log = KafkaLikeLog()
        self.store = FaultyStore()
        self.emissions = Emissions(self.log)
        self.log.append(records)

    def worker(self, processor: Processor, partitions: Iterable[int] = range(PARTITIONS)) -> PartitionFold:
        made = PartitionFold(processor, self.log, self.store, emissions=self.emissions)
        made.assigned(partitions)
        return made

    def messages(self, place: TopicPartition, start: int = 0, limit: int = 10_000) -> list[Message]:
        return [message(stored) for stored in self.log.read(*place, start, limit)]

    def fire(self, worker: PartitionFold, now: int) -> None:
        """Append what is due, as the driver does."""
        for partition in range(PARTITIONS):
            for page, timer, due in worker.wishes_due(partition, now, 10):
                event = timer_event(worker.processor.name, page, timer, due, now)
                topic, key = worker.processor.topics[0], worker.processor.timer_key(page, timer)
                assert partition_of(key, PARTITIONS) == partition, "a wake-up comes back to whoever wished it"
                self.log.append([record_of(event, topic=topic, key=key)])

    def drain(self) -> None:
        """Have new workers fold and fire everything that is left."""
        workers = [self.worker(processor) for processor in PROCESSORS]
        before = -1
        while before != (before := sum(sum(self.log.end(topic).values()) for topic in (ALERTS, PAGES))):
            for worker in workers:
                for topic in worker.processor.topics:
                    for partition in range(PARTITIONS):
                        worker.fold((topic, partition), self.messages((topic, partition)))
                self.fire(worker, 10**9)

    def lose(self) -> None:
        """Empty the store."""
        self.store._parts.clear()

    def rows(self, *processors: Processor) -> Rows:
        """Return all rows of the processors' partitions, by table, page and key; the totals are not among them."""
        return {
            row: value
            for processor in processors or PROCESSORS
            for partition in range(PARTITIONS)
            for row, value in self.store.rows(processor.name, partition, [spec.name for spec in processor.tables])
            if row[0] != "totals"
        }

    def totals(self) -> list[Rows]:
        """Return for each partition how much was read of each page: a page's alerts lie in several."""
        return [dict(self.store.rows(BOTH.name, partition, ["totals"])) for partition in range(PARTITIONS)]

    def ranking(self) -> dict[str, int]:
        """Return the ranking of the counts."""
        return {
            name: score
            for partition in range(PARTITIONS)
            for name, score in self.store.ranked(COUNTING.name, partition, "many", None, 1_000)
        }
