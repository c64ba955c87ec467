"""A processor of two topics under two workers at once: a paused one must not write over what the other made of the other topic."""

from threading import Event, Thread

from streams.domain.processor import Processor
from streams.log.memory import MemoryEventLog
from streams.log.port import TopicPartition, record_of
from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.partition_fold import PartitionFold
from streams.runtime.state_store import Changes
from tests.builders.counting import ALERTS, BASE, COUNTING, COUNTS, PAGES, alert, messages

BOTH = Processor("both", (ALERTS, PAGES), COUNTING.types, COUNTING.tables, COUNTING.step)


class Pausing(MemoryStateStore):
    """A store whose first commit takes until ``wake`` is set: its worker is paused there."""

    def __init__(self) -> None:
        super().__init__()
        self.paused, self.wake = Event(), Event()

    def commit(self, processor: str, place: TopicPartition, expected: int, new: int, changes: Changes) -> bool:
        if not self.paused.is_set():
            self.paused.set()
            self.wake.wait()
        return super().commit(processor, place, expected, new, changes)


def test_what_was_made_from_an_older_state_is_not_written() -> None:
    log, store = MemoryEventLog({ALERTS: 1, PAGES: 1}), Pausing()
    log.append([record_of(alert(number, "one", 4 * BASE), topic=ALERTS, key="k") for number in range(3)])
    log.append([record_of(alert(number, "one", 4 * BASE), topic=PAGES, key="k") for number in range(10, 14)])
    old, new = (PartitionFold(BOTH, log, store) for _ in range(2))
    old.assigned([0])
    sleeper = Thread(target=lambda: old.fold((ALERTS, 0), messages(log, ALERTS, 0)))
    sleeper.start()
    store.paused.wait()
    new.assigned([0])
    new.fold((PAGES, 0), messages(log, PAGES, 0)[:4])
    store.wake.set()
    sleeper.join()
    new.fold((ALERTS, 0), messages(log, ALERTS, 0))
    counted = store.page(BOTH.name, 0, COUNTS, "acme")
    assert counted == {"one": b"7"}, "three from one topic and four from the other"
    assert old.fenced == 1
