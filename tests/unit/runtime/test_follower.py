"""A follower over the log and the store in memory: where it begins, what it passes over, what it tells."""

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streams.domain.processor import Output, Processor
from streams.domain.state import State
from streams.log.port import record_of
from streams.runtime.follower import Follower, FollowerStoppedError, Tables
from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.partition_fold import PartitionFold
from tests.builders.counting import ALERTS, COUNTING, COUNTS, PAGE, PARTITIONS, alert, append, messages
from tests.fakes.tail import TailedMemoryLog

PATIENCE = 60.0
NAMES = [f"instance-{number}" for number in range(7)]


class World:
    """A log, a store that a worker fills, and what a follower told."""

    def __init__(self) -> None:
        self.log = TailedMemoryLog(PARTITIONS)
        self.store = MemoryStateStore()
        self.told: list[tuple[set[str], dict[tuple[str, str], tuple[int | None, int | None]]]] = []
        self._followers: list[Follower] = []
        self._appended = 0

    def append(self, count: int) -> None:
        first, self._appended = self._appended, self._appended + count
        append(self.log, [alert(number, NAMES[number % len(NAMES)]) for number in range(first, self._appended)])

    def work(self) -> None:
        """Fold into the store all that lies on the log."""
        fold = PartitionFold(COUNTING, self.log, self.store)
        fold.assigned(range(PARTITIONS[ALERTS]))
        for partition in range(PARTITIONS[ALERTS]):
            fold.fold((ALERTS, partition), messages(self.log, ALERTS, partition))

    def follow(self, processor: Processor = COUNTING) -> Follower:
        follower = Follower(processor, self.log, self.store, self._tell)
        self._followers.append(follower)
        follower.start()
        return follower

    def _tell(self, tables: Tables, pages: set[str]) -> None:
        self.told.append((pages, tables[COUNTS].changed()))

    @property
    def ends(self) -> dict[tuple[str, int], int]:
        return {(ALERTS, partition): end for partition, end in self.log.end(ALERTS).items()}

    @property
    def wanted(self) -> dict[str, int]:
        return dict(Counter(NAMES[number % len(NAMES)] for number in range(self._appended)))

    def close(self) -> None:
        for follower in self._followers:
            follower.stop()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()
    assert made.log.tails == [], "each tail is closed with its follower"


def test_from_nothing_to_the_end_and_on(world: World) -> None:
    world.append(50)
    follower = world.follow()
    assert follower.wait_for(world.ends, PATIENCE)
    assert follower.tables[COUNTS].rows(PAGE) == world.wanted
    world.append(50)
    assert follower.wait_for(world.ends, PATIENCE)
    assert follower.tables[COUNTS].rows(PAGE) == world.wanted
    assert {place: follower.position(place) for place in world.ends} == world.ends
    assert all(follower.passed(place, end - 1) and not follower.passed(place, end) for place, end in world.ends.items())


def test_it_begins_where_the_workers_are_and_emits_nothing(world: World) -> None:
    world.append(40)
    world.work()
    said = world.log.end("tocsin.pages")
    follower = world.follow()
    assert world.told == [({PAGE}, {})], "told once, with all that the store had"
    assert {place: follower.position(place) for place in world.ends} == world.ends
    world.append(10)
    assert follower.wait_for(world.ends, PATIENCE)
    assert follower.tables[COUNTS].rows(PAGE) == world.wanted
    assert world.log.end("tocsin.pages") == said


def test_it_goes_on_when_the_store_has_lost_everything(world: World) -> None:
    world.append(20)
    world.work()
    follower = world.follow()
    world.store.close()
    world.append(20)
    assert follower.wait_for(world.ends, PATIENCE)
    assert follower.tables[COUNTS].rows(PAGE) == world.wanted


def test_it_tells_what_each_batch_changed(world: World) -> None:
    follower = world.follow()
    assert world.told == [(set(), {})]
    world.append(60)
    assert follower.wait_for(world.ends, PATIENCE)
    last: dict[tuple[str, str], int | None] = {}
    for pages, changed in world.told[1:]:
        assert pages == {PAGE}
        for where, (before, after) in changed.items():
            assert last.get(where) == before, "what was before is what was told last"
            last[where] = after
    assert {key: count for (_, key), count in last.items()} == world.wanted


def test_a_second_copy_of_an_emission_is_passed_over(world: World) -> None:
    first, second = (replace(record_of(alert(number, "one")), origin="source/topic/0@7.0") for number in range(2))
    third = replace(record_of(alert(2, "one")), origin="source/topic/0@7.1")
    world.log.append([first])
    world.work()
    follower = world.follow()
    world.log.append([second, third])
    assert follower.wait_for(world.ends, PATIENCE)
    assert follower.tables[COUNTS].rows(PAGE) == {"one": 2}, "the store's origins hold for the follower too"


def test_it_waits_for_a_log_that_is_away(world: World) -> None:
    follower = world.follow()
    world.log.away.set()
    world.append(10)
    assert not follower.wait_for(world.ends, 0.05)
    world.log.away.clear()
    assert follower.wait_for(world.ends, PATIENCE)


def test_nothing_moves_while_it_is_held_still(world: World) -> None:
    follower = world.follow()
    with follower.still() as tables:
        world.append(10)
        assert not follower.wait_for(world.ends, 0.05)
        assert tables[COUNTS].rows(PAGE) == {}
    assert follower.wait_for(world.ends, PATIENCE)


def _fails(state: State, event: object, out: Output) -> None:
    raise ArithmeticError("a fault of the fold")


def test_whoever_waits_learns_of_a_fault(world: World) -> None:
    follower = world.follow(replace(COUNTING, step=_fails))
    world.append(1)
    with pytest.raises(FollowerStoppedError) as caught:
        follower.wait_for(world.ends, PATIENCE)
    assert isinstance(caught.value.__cause__, ArithmeticError)
    assert isinstance(follower.fault, ArithmeticError)


def test_a_place_that_is_not_followed(world: World) -> None:
    follower = world.follow()
    with pytest.raises(KeyError):
        follower.position(("tocsin.pages", 0))


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=6), st.integers(1, 9))
def test_wherever_it_begins_it_ends_with_the_same(steps: list[tuple[int, bool]], limit: int) -> None:
    world = World()
    world.log = TailedMemoryLog(PARTITIONS, limit)
    try:
        followers = []
        for count, work in steps:
            world.append(count)
            if work:
                world.work()
            followers.append(world.follow())
        for follower in followers:
            assert follower.wait_for(world.ends, PATIENCE)
            assert follower.tables[COUNTS].rows(PAGE) == world.wanted
    finally:
        world.close()
