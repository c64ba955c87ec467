"""Whatever fails and whoever meddles, in the end the tables are those of one fold that nobody disturbed.

The processors of ``fold_world`` are no help: none of them knows an event that it has seen before.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.log.origin import parse
from streams.log.port import LogUnavailableError, Record
from streams.runtime.partition_fold import FencedError, PartitionFold
from streams.runtime.state_store import StoreUnavailableError
from tests.builders.fold_world import PAGE_NAMES, PARTITIONS, PROCESSORS, Rows, World, alert

FAULTS = (LogUnavailableError, StoreUnavailableError, FencedError)
ALERT_COUNT = 16


def _records() -> list[Record]:
    fingerprints = ("load", "disk")
    return [alert(number, PAGE_NAMES[number % 2], fingerprints[number // 2 % 2]) for number in range(ALERT_COUNT)]


@cache
def _undisturbed() -> tuple[Rows, dict[str, int], list[Rows]]:
    world = World(_records())
    world.drain()
    rows = world.rows()
    assert len({row[1] for row in rows}) == len(PAGE_NAMES)
    assert {row[0] for row in rows} == {"counts", "fired", "said", "sums"}
    return rows, world.ranking(), world.totals()


def _agrees(world: World) -> None:
    world.drain()
    rows, ranking, totals = _undisturbed()
    assert world.rows() == rows
    assert world.ranking() == ranking
    assert world.totals() == totals


def _everything(world: World, workers: list[PartitionFold]) -> None:
    for worker in workers:
        for topic in worker.processor.topics:
            for partition in range(PARTITIONS):
                worker.fold((topic, partition), world.messages((topic, partition)))


# --- a crash at every point ---


@pytest.mark.parametrize("stored", range(2 * ALERT_COUNT + 1))
def test_a_crash_after_any_number_of_emissions(stored: int) -> None:
    world = World(_records())
    world.log.faults.append(stored)
    with suppress(LogUnavailableError):
        _everything(world, [world.worker(processor) for processor in PROCESSORS])
    _agrees(world)


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("commits", range(8))
@pytest.mark.parametrize("batch", [1, 5])
def test_a_crash_around_any_commit(commits: int, fault: str, batch: int) -> None:
    world = World(_records())
    world.store.faults.extend([*[None] * commits, fault])
    with suppress(StoreUnavailableError):
        for start in range(0, ALERT_COUNT, batch):
            for processor in PROCESSORS:
                for topic in processor.topics:
                    for at in range(PARTITIONS):
                        worker = world.worker(processor)
                        worker.fold((topic, at), world.messages((topic, at), start, batch))
    _agrees(world)


def test_the_baseline_sees_a_doubled_emission() -> None:
    """What these tests rest upon: without origins, a second emission would be folded a second time."""
    world = World(_records())
    world.store.faults.append("before")
    with pytest.raises(StoreUnavailableError):
        _everything(world, [world.worker(PROCESSORS[0])])
    for place, stored in list(world.log._split.items()):
        world.log._split[place] = [
            type(each)(type(each.record)(*[getattr(each.record, name) for name in each.record.__struct_fields__[:-1]]),
                       each.partition, each.offset, each.chain)
            for each in stored
        ]  # fmt: skip
    with pytest.raises(AssertionError):
        _agrees(world)


# --- everything at once ---

_Do = Callable[["_Fleet"], None]


class _Fleet:
    """Three workers for each processor, all of which think that they own every partition."""

    def __init__(self) -> None:
        self.world = World(_records())
        self.workers = {
            (processor.name, one): self._new(processor.name) for processor in PROCESSORS for one in range(3)
        }

    def _new(self, name: str) -> PartitionFold:
        return self.world.worker(next(processor for processor in PROCESSORS if processor.name == name))

    def fold(self, who: tuple[str, int], topic: int, at: int, ahead: int, count: int) -> None:
        """Give a worker some messages, as the transport may: from before or behind where it stands."""
        worker = self.workers[who]
        place = (worker.processor.topics[topic % len(worker.processor.topics)], at)
        with suppress(*FAULTS):
            worker.fold(place, self.world.messages(place, max(0, worker.position(place) + ahead), count))

    def crash(self, who: tuple[str, int]) -> None:
        self.workers[who] = self._new(who[0])

    def fire(self, who: tuple[str, int], now: int) -> None:
        with suppress(*FAULTS):
            self.world.fire(self.workers[who], now)


_who = st.tuples(st.sampled_from([processor.name for processor in PROCESSORS]), st.integers(0, 2))
_partition = st.integers(0, PARTITIONS - 1)


def _folded(who: tuple[str, int], topic: int, at: int, ahead: int, count: int) -> _Do:
    return lambda fleet: fleet.fold(who, topic, at, ahead, count)


def _meddled(who: tuple[str, int], topic: int, at: int, ahead: int, count: int) -> _Do:
    """Somebody else comes in before the next commit."""

    def do(fleet: _Fleet) -> None:
        def come_in() -> None:
            fleet.world.store.before_commit = lambda: None
            fleet.crash((who[0], 3))  # one that holds no lock: whoever commits now may be any of the three
            fleet.fold((who[0], 3), topic, at, ahead, count)

        fleet.world.store.before_commit = come_in

    return do


_some = (_who, st.integers(0, 1), _partition, st.integers(-3, 2), st.integers(1, 12))
_folds = st.builds(_folded, *_some)
_disturbances = st.one_of(
    st.builds(_meddled, *_some),
    st.builds(lambda who: lambda fleet: fleet.crash(who), _who),
    st.builds(lambda who, now: lambda fleet: fleet.fire(who, now), _who, st.integers(0, 40)),
    st.builds(lambda: lambda fleet: fleet.world.lose()),
    st.builds(lambda count: lambda fleet: fleet.world.log.faults.append(count), st.integers(0, 8)),
    st.builds(lambda fault: lambda fleet: fleet.world.store.faults.append(fault), st.sampled_from(["before", "after"])),
)
_actions = _folds | _folds | _disturbances


@settings(max_examples=200, deadline=None)
@given(st.lists(_actions, min_size=20, max_size=60))
def test_any_history_of_faults_ends_in_the_same_tables(actions: list[_Do]) -> None:
    fleet = _Fleet()
    for do in actions:
        do(fleet)
    world = fleet.world
    world.log.faults.clear()
    world.store.faults.clear()
    world.store.before_commit = lambda: None
    _agrees(world)


_turns = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 1), _partition, st.integers(1, 6)), min_size=5, max_size=30
)


@settings(max_examples=100, deadline=None)
@given(_turns)
def test_two_owners_of_two_topics_lose_nothing_of_each_other(turns: list[tuple[int, int, int, int]]) -> None:
    """Either may move the position of one topic while the other works from an older state on the other one."""
    fleet = _Fleet()
    _everything(fleet.world, [fleet.world.worker(PROCESSORS[0])])
    for one, topic, at, count in turns:
        fleet.fold(("both", one), topic, at, 0, count)
    _agrees(fleet.world)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=12), st.integers(0, 10_000))
def test_a_store_that_is_emptied_at_any_moment_is_folded_anew(sizes: list[int], when: int) -> None:
    world = World(_records())
    workers = [world.worker(processor) for processor in PROCESSORS]
    emptied = when % (len(sizes) + 1)
    for number, size in enumerate([*sizes, 1]):
        if number == emptied:
            world.lose()
        for worker in workers:
            for topic in worker.processor.topics:
                for at in range(PARTITIONS):
                    worker.fold((topic, at), world.messages((topic, at), worker.position((topic, at)), size))
    _agrees(world)
    said = [found[:3] for stored in world.log.scan(None, 10_000)[0] if (found := parse(stored.record.origin))]
    # An alert says two things, each of which is said once more.
    assert len(said) - len(set(said)) <= PARTITIONS * max(sizes) * (2 + 1), "no more than each last batch is said again"
