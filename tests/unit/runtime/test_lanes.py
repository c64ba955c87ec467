"""Lanes over the log and the store in memory: in order, beside each other, resting, waiting out what is away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from threading import Event

import pytest

from schemas.events import AnyEvent
from streams.domain.processor import Output, Processor
from streams.domain.state import State, TableSpec
from streams.log.memory import MemoryEventLog
from streams.log.port import TopicPartition
from streams.runtime import lanes as module
from streams.runtime.announcements import Placed
from streams.runtime.lanes import Lanes
from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.partition_fold import PartitionFold
from streams.runtime.state_store import Changes, Commit, HalfLostError, StoreUnavailableError
from tests.builders.counting import ALERTS, COUNTING, COUNTS, PAGES, PARTITIONS, alert, append, messages
from tests.fakes.announcer import NotedAnnouncements


def _hear(state: State, event: AnyEvent, out: Output) -> None:
    state[COUNTS].put(event.page, "heard", (state[COUNTS].get(event.page, "heard") or 0) + 1)


INDIFFERENT = Processor("indifferent", (ALERTS,), frozenset({"Nothing"}), (TableSpec(COUNTS, int),), COUNTING.step)
HEARING = Processor("hearing", (PAGES,), frozenset({"PromiseReminded"}), (TableSpec(COUNTS, int),), _hear)
"""Counts what COUNTING says."""
NAMES = [f"instance-{number}" for number in range(40)]


class Store(MemoryStateStore):
    """``gate`` holds the commits of COUNTING's partition 0 up while it is closed; ``errors`` are raised by the next commits, all are noted."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Event()
        self.gate.set()
        self.entered = Event()
        self.errors: list[Exception] = []
        self.commits: list[tuple[str, TopicPartition]] = []

    def forget(self) -> None:
        """Be as a Redis that lost its data."""
        with self._lock:
            self._parts.clear()

    def commit(self, processor: str, place: TopicPartition, expected: int, new: int, changes: Changes) -> bool:
        if place[1] == 0 and processor == COUNTING.name:
            self.entered.set()
            self.gate.wait()
        if self.errors:
            raise self.errors.pop()
        self.commits.append((processor, place))
        return super().commit(processor, place, expected, new, changes)


class World:
    def __init__(self, *processors: Processor) -> None:
        self.processors = processors or (INDIFFERENT, COUNTING)
        self.log = MemoryEventLog(PARTITIONS)
        self.store = Store()
        self.faults: list[BaseException] = []
        self.lanes = Lanes(self._folds, self.faults.append)
        self.others = NotedAnnouncements()
        self.lanes.tell(self.others)
        self.appended = 0

    def _folds(self) -> list[PartitionFold]:
        return [PartitionFold(processor, self.log, self.store) for processor in self.processors]

    def announce(self, count: int) -> list[Placed]:
        """Append alerts as another process does, and return what it announces."""
        before = self.log.end(ALERTS)
        first, self.appended = self.appended, self.appended + count
        append(self.log, [alert(number, NAMES[number % len(NAMES)]) for number in range(first, self.appended)])
        return [
            ((ALERTS, partition), message)
            for partition, start in before.items()
            for message in messages(self.log, ALERTS, partition, start)
        ]

    async def feed(self, count: int) -> None:
        """Append alerts and bring them, one by one, as a consumer would."""
        first, self.appended = self.appended, self.appended + count
        before = self.log.end(ALERTS)
        append(self.log, [alert(number, NAMES[number % len(NAMES)]) for number in range(first, self.appended)])
        for partition, start in before.items():
            for message in messages(self.log, ALERTS, partition, start):
                await self.lanes.put((ALERTS, partition), message)

    @property
    def counted(self) -> int:
        rows = [row for number in range(PARTITIONS[ALERTS]) for row in self.store.rows(COUNTING.name, number, [COUNTS])]
        return sum(int(value) for _, value in rows)

    @property
    def heard(self) -> int:
        rows = [row for number in range(PARTITIONS[PAGES]) for row in self.store.rows(HEARING.name, number, [COUNTS])]
        return sum(int(value) for _, value in rows)

    async def fetch(self, topic: str) -> None:
        """Bring all that lies in a topic, as a consumer does that was set to its beginning."""
        for partition in range(PARTITIONS[topic]):
            for message in messages(self.log, topic, partition):
                await self.lanes.put((topic, partition), message)

    def at(self, processor: str) -> int:
        return sum(self.store.positions(processor, number).get(ALERTS, 0) for number in range(PARTITIONS[ALERTS]))


@asynccontextmanager
async def working(*partitions: int, processors: Sequence[Processor] = ()) -> AsyncIterator[World]:
    world = World(*processors)
    await world.lanes.assign(partitions or range(PARTITIONS[ALERTS]))
    try:
        yield world
    finally:
        world.store.gate.set()
        await world.lanes.close()


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not reached():  # noqa: ASYNC110 - the store is changed by threads, which set no event
            await asyncio.sleep(0.001)


async def test_everything_is_folded_by_every_processor() -> None:
    async with working() as world:
        await world.feed(200)
        await until(lambda: world.counted == 200)
        await until(lambda: world.at(INDIFFERENT.name) == 200)
        assert all(world.lanes.position((ALERTS, at)) == world.log.end(ALERTS)[at] for at in world.lanes.partitions)
    assert world.faults == []


async def test_a_processor_that_wants_nothing_costs_no_commits_until_it_is_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_IDLE_SECONDS", 3600.0)
    async with working() as world:
        for _ in range(20):
            await world.feed(10)
            await until(lambda: world.at(COUNTING.name) == world.appended)
        assert INDIFFERENT.name not in {processor for processor, _ in world.store.commits}
        assert world.at(INDIFFERENT.name) == 0
        assert {world.lanes.position((ALERTS, at)) for at in world.lanes.partitions} == {0}, (
            "whoever comes next must read it all"
        )


async def test_a_store_that_is_emptied_is_filled_again_though_nothing_more_arrives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.01)
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)
    async with working() as world:
        await world.feed(1_300)
        await until(lambda: world.counted == world.at(INDIFFERENT.name) == 1_300)
        world.store.forget()
        await until(lambda: world.counted == world.at(INDIFFERENT.name) == 1_300)
    assert world.faults == []


async def test_lanes_do_not_wait_for_each_other() -> None:
    async with working() as world:
        world.store.gate.clear()
        await world.feed(40)
        await until(lambda: world.at(INDIFFERENT.name) == 40)
        assert world.at(COUNTING.name) < 40
        world.store.gate.set()
        await until(lambda: world.counted == 40)


async def test_what_waits_in_several_partitions_is_one_append_and_one_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[int] = []
    commit_all = Store.commit_all

    def noted(store: Store, processor: str, commits: Sequence[Commit]) -> list[bool]:
        if processor == COUNTING.name:
            rounds.append(len(commits))
        return commit_all(store, processor, commits)

    monkeypatch.setattr(Store, "commit_all", noted)
    async with working() as world:
        world.store.gate.clear()
        await world.feed(40)
        await until(world.store.entered.is_set)
        await world.feed(200)
        world.store.gate.set()
        await until(lambda: world.counted == 240)
    assert max(rounds) == PARTITIONS[ALERTS]


async def test_what_waits_is_dropped_and_what_is_in_hand_is_finished() -> None:
    async with working(0) as world:
        world.store.gate.clear()
        await world.feed(100)
        await until(world.store.entered.is_set)
        await world.feed(100)
        resting = asyncio.create_task(world.lanes.rest())
        await asyncio.sleep(0.01)
        assert not resting.done(), "a batch is in hand"
        world.store.gate.set()
        await resting
        stood = world.counted
        assert 0 < stood < world.log.end(ALERTS)[0]
        await asyncio.sleep(0.01)
        assert world.counted == stood


async def test_a_partition_that_was_taken_away_is_not_folded() -> None:
    async with working() as world:
        await world.lanes.assign([1])
        await world.feed(100)
        await until(lambda: world.counted == world.log.end(ALERTS)[1])
        with pytest.raises(KeyError):
            world.lanes.position((ALERTS, 0))
        await world.lanes.assign([0, 1])
        assert world.lanes.position((ALERTS, 0)) == 0


async def test_a_store_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.001)
    async with working() as world:
        world.store.errors = [StoreUnavailableError("away") for _ in range(5)]
        await world.feed(50)
        await until(lambda: world.counted == 50)
    assert world.faults == []


@pytest.mark.parametrize("error", [HalfLostError("torn"), ArithmeticError("a fault")])
async def test_what_cannot_be_waited_out_is_a_fault(error: Exception) -> None:
    async with working() as world:
        world.store.errors = [error]
        await world.feed(1)
        await until(lambda: bool(world.faults))
        assert world.faults == [error]


async def test_a_store_that_stays_away_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.001)
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.0)
    async with working() as world:
        world.store.errors = [StoreUnavailableError("away") for _ in range(50)]
        await world.feed(1)
        await until(lambda: bool(world.faults))


async def test_whoever_brings_more_than_there_is_room_for_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 10)
    async with working() as world:
        world.store.gate.clear()
        feeding = asyncio.create_task(world.feed(2_000))
        await until(world.store.entered.is_set)
        await asyncio.sleep(0.01)
        assert not feeding.done()
        world.store.gate.set()
        await feeding
        await until(lambda: world.counted == 2_000)


async def test_what_one_processor_says_another_folds_without_its_being_fetched() -> None:
    async with working(processors=(COUNTING, HEARING)) as world:
        await world.feed(300)
        await until(lambda: world.heard == 300)
        await world.fetch(PAGES)
        await world.feed(10)
        await until(lambda: world.heard == 310)
    assert world.heard == 310
    assert world.faults == []


async def test_what_was_said_where_there_is_no_room_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 3)
    monkeypatch.setattr(module, "_PACE_SECONDS", 0.001)
    async with working(processors=(COUNTING, HEARING)) as world:
        await world.feed(200)
        await until(lambda: world.counted == 200)
        await world.fetch(PAGES)
        await until(lambda: world.heard == 200)


async def test_what_was_said_to_somebody_elses_partition_is_left_to_them() -> None:
    async with working(*range(PARTITIONS[ALERTS]), processors=(COUNTING, HEARING)) as world:
        await world.feed(1)
        await until(lambda: world.heard == 1)
        [theirs] = [at for at in range(PARTITIONS[PAGES]) if world.log.end(PAGES)[at]]
        await world.lanes.assign(set(range(PARTITIONS[ALERTS])) - {theirs})
        before = world.log.end(PAGES)[theirs]
        await world.feed(100)
        await until(lambda: world.log.end(PAGES)[theirs] > before)
        await asyncio.sleep(0.01)
        assert world.heard == 1
        await world.lanes.assign(range(PARTITIONS[ALERTS]))
        await world.fetch(ALERTS)
        await world.fetch(PAGES)
        await until(lambda: world.heard == 101)


async def test_what_others_announce_is_folded_once_in_whatever_order_it_is_heard_and_fetched() -> None:
    async with working() as world:
        told = world.announce(300)
        Random(1).shuffle(told)
        for start in range(0, len(told), 7):
            await asyncio.to_thread(world.lanes.told, told[start : start + 7])
        await until(lambda: world.counted == 300)
        await world.fetch(ALERTS)
        world.lanes.told(told)
        await world.feed(10)
        await until(lambda: world.counted == 310)
    assert world.counted == 310
    assert world.faults == []


async def test_an_announcement_that_is_lost_is_fetched() -> None:
    async with working() as world:
        told = world.announce(100)
        world.lanes.told(told[::2])
        await asyncio.sleep(0.01)
        await world.fetch(ALERTS)
        await until(lambda: world.counted == 100)
        await asyncio.sleep(0.01)
    assert world.counted == 100


async def test_others_are_told_what_is_said_to_their_partitions_and_nothing_else() -> None:
    async with working(*range(PARTITIONS[ALERTS]), processors=(COUNTING, HEARING)) as world:
        await world.feed(100)
        await until(lambda: world.heard == 100)
        assert world.others.placed == []
        [theirs] = [at for at in range(PARTITIONS[PAGES]) if world.log.end(PAGES)[at]]
        ours = (theirs + 1) % PARTITIONS[PAGES]
        await world.lanes.assign([ours])
        before = world.log.end(PAGES)[theirs]
        await world.feed(100)
        end = world.log.end(ALERTS)[ours]
        await until(lambda: world.store.positions(COUNTING.name, ours).get(ALERTS) == end)
        said = [((PAGES, theirs), message) for message in messages(world.log, PAGES, theirs, before)]
    assert world.others.placed == said
    assert said
