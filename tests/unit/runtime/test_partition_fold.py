"""One worker's fold of its partitions over any store: what is passed over, fetched, fenced and repeated."""

from collections.abc import Iterable, Mapping

import msgspec
import pytest

from schemas.codec import frame
from schemas.events import AlertRefreshed, AnyEvent, Event, PromiseReminded
from schemas.ids import derive
from streams.domain.processor import Output, Processor
from streams.domain.state import State, TableSpec
from streams.log.memory import MemoryEventLog
from streams.log.port import LogUnavailableError, Record, TopicPartition, event_of, record_of
from streams.runtime.partition_fold import FencedError, Message, PartitionFold
from streams.runtime.state_store import Row

PLACE = ("tocsin.alerts", 0)


def _count(state: State, event: AnyEvent, out: Output) -> None:
    assert isinstance(event.data, AlertRefreshed)
    number = (state["counts"].get(event.page, event.data.fingerprint) or 0) + 1
    state["counts"].put(event.page, event.data.fingerprint, number)
    out.emit(PromiseReminded(event.data.fingerprint, number), event.occurred_at)


COUNTING = Processor("counting", (PLACE[0],), frozenset({"AlertRefreshed"}), (TableSpec("counts", int),), _count)


class DictStore:
    """A ``StateStore`` in memory. ``meddlers`` are other workers that come in before the next commits."""

    def __init__(self) -> None:
        self.at: dict[TopicPartition, int] = {}
        self.held: dict[Row, bytes] = {}
        self.meddlers: list[PartitionFold] = []
        self.messages: list[Message] = []

    def position(self, processor: str, place: TopicPartition) -> int:
        return self.at.get(place, 0)

    def rows(self, processor: str, partition: int) -> Iterable[tuple[Row, bytes]]:
        return list(self.held.items())

    def commit(
        self, processor: str, place: TopicPartition, expected: int, new: int, changed: Mapping[Row, bytes | None]
    ) -> bool:
        if self.meddlers:
            other = self.meddlers.pop()
            other.assigned([place])
            other.fold(place, self.messages[: expected + 2])
        if self.at.get(place, 0) != expected:
            return False
        self.at[place] = new
        self.held.update({row: value for row, value in changed.items() if value is not None})
        return True

    @property
    def count(self) -> int:
        return sum(msgspec.msgpack.decode(value, type=int) for value in self.held.values())


class Scene:
    def __init__(self, alerts: int) -> None:
        self.log = MemoryEventLog({PLACE[0]: 1, "tocsin.pages": 1})
        self.store = DictStore()
        records = [_alert(number) for number in range(alerts)]
        self.log.append(records)
        self.messages = [
            Message(number, record.type, frame(record.fingerprint, record.body))
            for number, record in enumerate(records)
        ]
        self.store.messages = self.messages

    def worker(self) -> PartitionFold:
        made = PartitionFold(COUNTING, self.log, self.store)
        made.assigned([PLACE])
        return made

    def said(self) -> list[int]:
        events = [event_of(stored.record) for stored in self.log.read("tocsin.pages", 0, 0, 1_000)]
        return [event.data.promise_at for event in events if isinstance(event.data, PromiseReminded)]


def _alert(number: int) -> Record:
    data = AlertRefreshed(source="prom", fingerprint="disk", episode="e1", expires_at=number)
    return record_of(Event(derive("a", str(number)), "acme", 1, 1, "source:prom", None, None, drill=False, data=data))


def test_a_batch_moves_position_state_and_events() -> None:
    scene = Scene(5)
    scene.worker().fold(PLACE, scene.messages)
    assert (scene.store.position("counting", PLACE), scene.store.count, scene.said()) == (5, 5, [1, 2, 3, 4, 5])


def test_what_was_folded_before_is_passed_over() -> None:
    scene = Scene(5)
    worker = scene.worker()
    worker.fold(PLACE, scene.messages[:3])
    worker.fold(PLACE, scene.messages[:3])
    worker.fold(PLACE, scene.messages)
    assert scene.said() == [1, 2, 3, 4, 5]


def test_what_the_transport_left_out_is_read_from_the_log() -> None:
    scene = Scene(6)
    worker = scene.worker()
    worker.fold(PLACE, scene.messages[:2])
    worker.fold(PLACE, scene.messages[4:])
    assert (scene.store.position("counting", PLACE), scene.said()) == (6, [1, 2, 3, 4, 5, 6])


def test_a_partition_that_was_taken_away_is_left_alone() -> None:
    scene = Scene(3)
    worker = scene.worker()
    worker.assigned([])
    worker.fold(PLACE, scene.messages)
    assert (scene.store.at, scene.said()) == ({}, [])


def test_another_type_moves_the_position_only() -> None:
    scene = Scene(2)
    others = [message._replace(type="AlertReceived") for message in scene.messages]
    scene.worker().fold(PLACE, others)
    assert (scene.store.position("counting", PLACE), scene.said()) == (2, [])


def test_a_worker_that_was_overtaken_goes_on_from_the_others_state() -> None:
    scene = Scene(6)
    slow, quick = scene.worker(), scene.worker()
    scene.store.meddlers = [quick]
    slow.fold(PLACE, scene.messages)
    assert (scene.store.position("counting", PLACE), scene.store.count, slow.fenced) == (6, 6, 1)
    assert scene.said() == [1, 2, 3, 4, 5, 6], "what both said has one id, and memory keeps one of it"


def test_two_owners_are_an_error() -> None:
    scene = Scene(40)
    scene.store.meddlers = [PartitionFold(COUNTING, scene.log, _Impatient(scene.store)) for _ in range(20)]
    with pytest.raises(FencedError):
        scene.worker().fold(PLACE, scene.messages)
    assert scene.store.count == scene.store.position("counting", PLACE), "whoever won, each alert was counted once"


class _Impatient(DictStore):
    """The same store as seen by a worker that nobody disturbs."""

    def __init__(self, store: DictStore) -> None:
        super().__init__()
        self.at, self.held = store.at, store.held


def test_nothing_moves_while_the_log_takes_nothing() -> None:
    scene = Scene(4)
    worker = scene.worker()
    scene.log.close()
    with pytest.raises(LogUnavailableError):
        worker.fold(PLACE, scene.messages)
    assert (scene.store.at, scene.store.held) == ({}, {})
