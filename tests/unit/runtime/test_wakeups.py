"""Wake-ups: each wish is fired once, whoever has the partition, and only when what lay there is folded."""

from collections.abc import Sequence

import pytest

from schemas.events import AnyEvent, TimerFired
from streams.log.memory import MemoryEventLog
from streams.log.port import Appended, LogUnavailableError, Record, event_of
from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.partition_fold import PartitionFold
from streams.runtime.wakeups import Wakeups
from tests.builders.counting import ALERTS, BASE, COUNTING, PARTITIONS, alert, append, messages

LATER = BASE + 1_000


class Noting(MemoryEventLog):
    """A log that notes the wake-ups that are appended, known ones too."""

    def __init__(self) -> None:
        super().__init__(PARTITIONS)
        self.fired: list[AnyEvent] = []
        self.away = False

    def append(self, records: Sequence[Record]) -> list[Appended]:
        if self.away:
            raise LogUnavailableError("away")
        self.fired += [event for record in records if isinstance((event := event_of(record)).data, TimerFired)]
        return super().append(records)


class Worker:
    """One that has all partitions."""

    def __init__(self, log: Noting, store: MemoryStateStore) -> None:
        self.log = log
        self.fold = PartitionFold(COUNTING, log, store)
        self.fold.assigned(range(PARTITIONS[ALERTS]))
        self.now = BASE
        self.wakeups = Wakeups(log, lambda: self.now)

    def work(self) -> None:
        for partition in range(PARTITIONS[ALERTS]):
            self.fold.fold((ALERTS, partition), messages(self.log, ALERTS, partition))

    def fire(self) -> int:
        return self.wakeups.fire((partition, self.fold) for partition in range(PARTITIONS[ALERTS]))


def _wished() -> tuple[Noting, MemoryStateStore, Worker]:
    log, store = Noting(), MemoryStateStore()
    append(log, [alert(number, f"instance-{number}", LATER) for number in range(6)])
    worker = Worker(log, store)
    worker.work()
    return log, store, worker


def test_when_it_is_due_and_once() -> None:
    log, _, worker = _wished()
    assert worker.fire() == 0
    worker.now = LATER
    assert worker.fire() == 6
    assert worker.fire() == 0, "it remembers, while the fold has not met them"
    worker.work()
    assert worker.fire() == 0
    assert len(log.fired) == 6
    assert worker.fold.wishes_due(0, LATER, 10) == []


def test_a_wake_up_lies_where_its_wish_was_made() -> None:
    log, _, worker = _wished()
    worker.now = LATER
    made = log.end(ALERTS)
    worker.fire()
    assert log.end(ALERTS) == {partition: 2 * count for partition, count in made.items()}


def test_who_takes_over_fires_what_its_predecessor_did_not() -> None:
    log, store, _ = _wished()
    successor = Worker(log, store)
    successor.now = LATER
    assert successor.fire() == 6
    assert len(log.fired) == 6


def test_who_takes_over_first_folds_what_its_predecessor_fired() -> None:
    log, store, worker = _wished()
    worker.now = LATER
    worker.fire()
    successor = Worker(log, store)
    successor.now = LATER
    assert successor.fire() == 0, "the wishes stand in the store and the wake-ups on the log"
    successor.work()
    assert successor.fire() == 0
    assert len(log.fired) == 6


def test_a_timer_that_is_wished_for_again_is_fired_again() -> None:
    log, _, worker = _wished()
    worker.now = LATER
    worker.fire()
    worker.work()
    append(log, [alert(100, "instance-0", LATER + 1)])
    worker.work()
    worker.now = LATER + 1
    assert worker.fire() == 1


def test_an_append_that_failed_is_repeated() -> None:
    log, _, worker = _wished()
    worker.now = LATER
    log.away = True
    for _ in range(2):
        with pytest.raises(LogUnavailableError):
            worker.fire()
    log.away = False
    assert worker.fire() == 6
