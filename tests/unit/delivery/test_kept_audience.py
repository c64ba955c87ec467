"""Planners of a fleet begin with what another one kept, where it fits the log, and plan the same."""

import logging
from collections.abc import Callable, Iterator, Sequence

import pytest
from msgspec.structs import replace

from consumers.delivery import audience_snapshot
from consumers.delivery.fleet_planner import FollowedAudience
from consumers.delivery.kept_audience import NAME, KeptAudience, Place
from consumers.delivery.subscribers import PARENTS, PROCESSOR, SUBSCRIBERS
from schemas.events import (
    AnyEvent,
    Cell,
    ComponentDefined,
    EndpointReinstated,
    EndpointSuppressed,
    Event,
    EventData,
    Filter,
    PageDefined,
    SubscriberAdded,
    SubscriberRemoved,
)
from schemas.ids import derive
from schemas.topics import TOPICS
from schemas.vocabulary import Impact, Kind, Suppression
from streams.log.port import record_of
from streams.runtime.follower import Follower
from streams.runtime.kept import MemoryKept
from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.state_store import Held, Row, StoreUnavailableError
from tests.fakes.tail import TailedMemoryLog
from tests.unit.delivery.pipeline import EVERYTHING, NOON, PAGE
from tests.unit.delivery.test_subscriber_book import OF_ALL

ANN, BEN, EVE = (derive("subscriber", name) for name in ("ann", "ben", "eve"))
PATIENCE = 30.0


class Unread(MemoryStateStore):
    """A store that counts who began with its rows."""

    asked = 0

    def snapshot(self, processor: str, partition: int, tables: Sequence[str]) -> tuple[Held, list[tuple[Row, bytes]]]:
        self.asked += 1
        return super().snapshot(processor, partition, tables)


class Process:
    """One that plans: it follows as ``tocsin.fleet.processors`` has it."""

    def __init__(self, world: "World", worth: int = 1) -> None:
        self.audience = FollowedAudience(world.log.end)
        kept = KeptAudience(world.kept, world.log, worth=worth)
        self.follower = Follower(
            PROCESSOR, world.log, world.store, self.audience.follow, on_load=self.audience.load,
            tables=self.audience.lean_tables(), begin=kept.begin, on_moved=kept.moved,
        )  # fmt: skip
        self.audience.attach(self.follower)
        kept.attach(self.follower)
        self.follower.start()
        self.catch_up(world)

    def catch_up(self, world: "World") -> None:
        ends = {(topic, at): end for topic in PROCESSOR.topics for at, end in world.log.end(topic).items()}
        assert self.follower.wait_for(ends, PATIENCE)

    def told(self) -> list[str]:
        return sorted(self.audience.book.index.match(PAGE, OF_ALL))


class World:
    """A log, a store that no worker fills, and what processes keep for each other."""

    def __init__(self) -> None:
        self.log = TailedMemoryLog({topic.name: topic.partitions for topic in TOPICS})
        self.store = Unread()
        self.kept = MemoryKept()
        self.running: list[Process] = []
        self._count = 0

    def say(self, *data: EventData) -> None:
        for each in data:
            self._count += 1
            identifier = derive("test", str(self._count))
            event: AnyEvent = Event(identifier, PAGE, NOON + self._count, NOON, "test", None, None, False, each)
            self.log.append([record_of(event)])

    def process(self, worth: int = 1) -> Process:
        self.running.append(Process(self, worth))
        return self.running[-1]


def added(*keys: str) -> list[EventData]:
    wanted = replace(EVERYTHING, kinds=[Kind.INCIDENT])
    return [SubscriberAdded(key, "email", b"sealed", wanted, True, "test") for key in keys]


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    made.say(
        PageDefined("Acme Cloud", "http://status.example", "UTC", "", 3600, 0.3, True),
        ComponentDefined("stores", "Stores", None, 0, [], None, False, ""),
        ComponentDefined("shelf", "Shelf", "stores", 0, ["eu"], None, False, ""),
        *added(ANN, BEN),
    )
    yield made
    for process in made.running:
        process.follower.stop()
    made.store.close()


def test_a_process_begins_with_what_another_kept_and_follows_on(world: World) -> None:
    first = world.process(worth=3)
    world.say(*added(EVE))
    first.catch_up(world)
    first.follower.stop()
    assert len(audience_snapshot.load(world.kept.read(NAME) or b"", Place)[1].rows) == 3
    asked = world.store.asked
    world.say(SubscriberRemoved(ANN, "unsubscribed"))
    second, first = world.process(), world.process()
    assert world.store.asked == asked, "it did not begin with the store's rows"
    assert first.told() == second.told() == sorted((BEN, EVE))
    for book in (first.audience.book, second.audience.book):
        assert book.lineage(PAGE, "shelf") == ["shelf", "stores"]
        settings = book.settings(PAGE)
        assert settings is not None
        assert settings.name == "Acme Cloud"
        known = book.subscriber(PAGE, ANN)
        assert known is not None
        assert known.state == "removed"


def test_whoever_follows_on_does_so_where_emissions_were_told_apart(world: World) -> None:
    first = world.process()
    second = world.process()
    first.follower.stop()
    second.follower.stop()
    assert second.follower.standpoint() == first.follower.standpoint()


def test_who_was_suppressed_comes_back_where_another_kept_them(world: World) -> None:
    world.say(EndpointSuppressed(ANN, "mailbox full", Suppression.BOUNCED))
    first = world.process(worth=3)
    world.say(*added(EVE))
    first.catch_up(world)
    first.follower.stop()
    rows = audience_snapshot.load(world.kept.read(NAME) or b"", Place)[1].rows
    assert [key for table, _, key, _ in rows if table == SUBSCRIBERS] == [ANN]
    world.say(EndpointReinstated(ANN, "signed up anew", [Suppression.COMPLAINED]))
    asked = world.store.asked
    process = world.process()
    assert process.told() == sorted((BEN, EVE)), "it is not what she was suppressed for"
    world.say(EndpointReinstated(ANN, "signed up anew", [Suppression.BOUNCED]))
    process.catch_up(world)
    assert process.told() == sorted((ANN, BEN, EVE))
    assert world.store.asked == asked


def test_few_are_not_kept(world: World) -> None:
    world.process(worth=3)
    assert world.kept.read(NAME) is None
    world.say(*added(EVE))
    world.running[0].catch_up(world)
    world.running[0].follower.stop()
    assert world.kept.read(NAME) is not None


def test_what_was_kept_lately_is_not_written_again(world: World) -> None:
    world.process()
    before = world.kept.read(NAME)
    world.say(*added(EVE))
    process = world.process()
    process.follower.stop()
    assert world.kept.read(NAME) == before


def spoiled(world: World) -> None:
    world.kept.write(NAME, b"9", (world.kept.read(NAME) or b"")[:-1])


def of_another_log(world: World) -> None:
    index, place = audience_snapshot.load(world.kept.read(NAME) or b"", Place)
    before = {topic: dict.fromkeys(ids, "another") for topic, ids in place.before.items()}
    index.put(PAGE, "nobody", "email", "active", Filter([Cell("shelf")], Impact.NONE, [Kind.INCIDENT]))
    world.kept.write(NAME, b"999999", audience_snapshot.dump(index, replace(place, before=before)))


def of_other_rows(world: World) -> None:
    index, place = audience_snapshot.load(world.kept.read(NAME) or b"", Place)
    rows = [(PARENTS, PAGE, "shelf", b"7")]
    world.kept.write(NAME, b"9", audience_snapshot.dump(index, replace(place, rows=rows)))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (spoiled, "it is damaged"),
        (of_another_log, "it is of another log"),
        (of_other_rows, "its rows mean something else here"),
    ],
)
def test_what_cannot_be_used_is_said_and_replaced(
    harm: Callable[[World], None], said: str, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.process().follower.stop()
    harm(world)
    useless, asked = world.kept.read(NAME), world.store.asked
    process = world.process()
    assert process.told() == sorted((ANN, BEN))
    assert world.store.asked > asked
    assert any(said in each.getMessage() for each in caplog.records if each.levelno == logging.WARNING)
    process.follower.stop()
    assert world.kept.read(NAME) != useless
    caplog.clear()
    assert world.process().told() == sorted((ANN, BEN))
    assert not caplog.records


class Away(MemoryKept):
    """A Redis that cannot be reached."""

    def note(self, name: str) -> bytes | None:
        raise StoreUnavailableError("away")

    def read(self, name: str) -> bytes | None:
        raise StoreUnavailableError("away")


def test_without_a_keeper_it_plans_all_the_same(world: World) -> None:
    world.kept = Away()
    process = world.process()
    assert process.told() == sorted((ANN, BEN))
    assert process.follower.fault is None
    assert SUBSCRIBERS in process.follower.tables
