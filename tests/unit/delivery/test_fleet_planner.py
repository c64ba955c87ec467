"""The distributed planner: it plans by what the log holds, remembers who was told, and a second run loses nobody."""

from collections.abc import Iterator, Mapping, Sequence

import pytest
from msgspec.structs import replace

from consumers.delivery.fleet_planner import FollowedAudience, asker, planner
from consumers.delivery.ledger_processor import LEDGER, THREADS
from consumers.delivery.ledger_rules import Thread
from consumers.delivery.planned_before import PlansOnLog
from consumers.delivery.subscribers import PROCESSOR as SUBSCRIBERS
from schemas.events import (
    AnyEvent,
    Cell,
    ComponentDefined,
    Event,
    EventData,
    Filter,
    Notice,
    NoticePublished,
    NotificationsPlanned,
    PageDefined,
    SubscriberAdded,
    SubscriberConfirmed,
    SubscriberRemoved,
)
from schemas.ids import derive
from schemas.topics import NOTIFICATIONS, PAGES, SUBSCRIPTIONS, TOPICS, shard_of
from schemas.vocabulary import Impact, Kind
from streams.domain.processor import Processor
from streams.log.port import Appended, EventLog, LogUnavailableError, Positions, Record, event_of, record_of
from streams.runtime.follower import Follower
from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.partition_fold import PartitionFold
from streams.runtime.partition_state import decoded
from tests.builders.fold_world import message
from tests.fakes.tail import TailedMemoryLog
from tests.unit.delivery.pipeline import EVERYTHING, NOON, OPENING, PAGE, RESOLVED, notice_of

ANN, BEN, EVE = (derive("subscriber", name) for name in ("ann", "ben", "eve"))
PARTITIONS = range(NOTIFICATIONS.partitions)


class World:
    """A log, a follower of its subscriptions, and workers that come and go."""

    def __init__(self) -> None:
        self.log = TailedMemoryLog({topic.name: topic.partitions for topic in TOPICS})
        self.store = MemoryStateStore()
        self.audience = FollowedAudience(self._ends)
        self.follower = Follower(
            SUBSCRIBERS, self.log, self.store, self.audience.follow, on_load=self.audience.load,
            tables=self.audience.lean_tables(),
        )  # fmt: skip
        self.audience.attach(self.follower)
        self._count = 0
        self.say(
            PageDefined("Acme Cloud", "http://status.example", "UTC", "", 3600, 0.3, True),
            ComponentDefined("api", "API", None, 0, ["eu", "us"], None, False, ""),
        )
        self.follower.start()

    def _ends(self, topic: str) -> Mapping[int, int]:
        return self.log.end(topic)

    def say(self, *data: EventData) -> None:
        """Append events."""
        for each in data:
            self._count += 1
            identifier = derive("test", str(self._count))
            event: AnyEvent = Event(identifier, PAGE, NOON, NOON + self._count, "test", None, None, False, each)
            self.log.append([record_of(event)])

    def subscribe(self, *keys: str, wanted: Filter = EVERYTHING, confirmed: bool = True) -> None:
        """Add subscribers."""
        self.say(*(SubscriberAdded(key, "email", b"sealed", wanted, confirmed, "test") for key in keys))

    def publish(self, notice: Notice) -> None:
        """Publish a notice."""
        self.say(NoticePublished(notice))

    def planner(self) -> Processor:
        """Return the planner of a process that has just begun."""
        return planner(self.audience, PlansOnLog(self.log))

    def work(self, processor: Processor, log: EventLog | None = None, most: int = 10_000) -> None:
        """Let a new worker fold all that there is, or no more than ``most`` of each partition."""
        fold = PartitionFold(processor, log or self.log, self.store)
        fold.assigned(PARTITIONS)
        for topic in processor.topics:
            for at in PARTITIONS:
                place = topic, at
                fold.fold(place, [message(one) for one in self.log.read(*place, fold.position(place), most)])

    def plans(self) -> list[NotificationsPlanned]:
        """Return all plans, by partition."""
        found = [
            event_of(one.record).data for at in PARTITIONS for one in self.log.read(NOTIFICATIONS.name, at, 0, 9_999)
        ]
        return [data for data in found if isinstance(data, NotificationsPlanned)]

    def told(self, update: str) -> list[str]:
        """Return who is in the plans of an update."""
        return sorted(one for plan in self.plans() if plan.update == update for one in plan.recipients)

    def threads(self) -> list[Thread]:
        """Return what the ledger made of it."""
        rows = [row for at in PARTITIONS for row in self.store.rows(LEDGER.name, at, [THREADS])]
        return [decoded(LEDGER.tables[0], value) for _, value in rows]


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.follower.stop()
    made.store.close()


def test_an_audience_is_who_had_subscribed_when_the_notice_is_met(world: World) -> None:
    world.subscribe(ANN)
    world.subscribe(BEN, wanted=Filter([Cell("api", "us")], Impact.NONE, [Kind.INCIDENT]))
    notice = notice_of(OPENING, "outage", NOON)
    world.publish(notice)
    world.subscribe(EVE)
    world.work(world.planner())
    world.subscribe(derive("subscriber", "late"))
    assert world.told(notice.update) == sorted((ANN, EVE))
    assert all(plan.shard == shard_of(one) for plan in world.plans() for one in plan.recipients)


def test_once_told_told_to_the_end_by_whichever_worker(world: World) -> None:
    world.subscribe(ANN, wanted=Filter([Cell("api", "eu")], Impact.NONE, [Kind.INCIDENT]))
    world.subscribe(BEN, wanted=Filter([Cell("api", "us")], Impact.NONE, [Kind.INCIDENT]))
    opening, over = notice_of(OPENING, "outage", NOON), notice_of(RESOLVED, "outage", NOON, [Cell("api", "us")])
    world.publish(opening)
    world.work(world.planner())
    world.publish(over)
    world.work(world.planner())
    assert world.told(opening.update) == [ANN]
    assert world.told(over.update) == sorted((ANN, BEN))


def test_reminded_operators_are_not_told_of_the_incident_by_that(world: World) -> None:
    world.subscribe(EVE, wanted=Filter(None, Impact.NONE, [Kind.REMINDER]))
    reminder = notice_of(OPENING, "outage", NOON)
    world.publish(replace(reminder, kind=Kind.REMINDER))
    world.work(world.planner())
    assert world.told(reminder.update) == [EVE]
    over = notice_of(RESOLVED, "outage", NOON)
    world.publish(over)
    world.work(world.planner())
    assert world.told(over.update) == []


def test_a_sign_up_is_asked_to_confirm_once_and_not_planned_until_then(world: World) -> None:
    world.subscribe(ANN, confirmed=False)
    world.subscribe(BEN)
    world.work(asker(world.audience))
    world.work(asker(world.audience))
    world.work(world.planner())
    [plan] = world.plans()
    assert (plan.kind, plan.subject_id, plan.recipients) == (Kind.CONFIRMATION, ANN, [ANN])
    world.say(SubscriberConfirmed(ANN))
    notice = notice_of(OPENING, "outage", NOON)
    world.publish(notice)
    world.work(world.planner())
    assert world.told(notice.update) == sorted((ANN, BEN))


class Failing(TailedMemoryLog):
    """The world's log, but that an append fails after some of its records are stored."""

    def __init__(self, log: TailedMemoryLog, stored: int) -> None:
        self.__dict__.update(log.__dict__)
        self._stored = stored

    def append(self, records: Sequence[Record]) -> list[Appended]:
        super().append(records[: self._stored])
        raise LogUnavailableError("the broker went away")


def test_a_worker_that_died_between_plan_and_position_leaves_nobody_out(world: World) -> None:
    """The second run finds a smaller audience, and so has other plans in the places of the first ones."""
    people = [f"{number:02x}{number:030x}" for number in range(0, 256, 4)]
    world.subscribe(*people)
    notice = notice_of(OPENING, "outage", NOON)
    world.publish(notice)
    with pytest.raises(LogUnavailableError):
        world.work(world.planner(), Failing(world.log, 40))
    assert world.told(notice.update) == people[:40]
    world.say(*(SubscriberRemoved(one, "unsubscribed") for one in people[:10]))
    world.work(world.planner())
    world.work(LEDGER)
    assert sorted(thread.subscriber for thread in world.threads()) == people
    assert all(len(thread.planned) == 1 for thread in world.threads())


def test_without_its_follower_it_waits_and_passes_over_nothing(world: World) -> None:
    world.subscribe(ANN)
    notice = notice_of(OPENING, "outage", NOON)
    world.publish(notice)
    with pytest.raises(LogUnavailableError, match="not followed yet"):
        world.work(planner(FollowedAudience(world.log.end), PlansOnLog(world.log)))
    world.work(world.planner())
    assert world.told(notice.update) == [ANN]


def test_it_asks_the_log_how_far_subscriptions_and_pages_reach(world: World) -> None:
    asked: list[str] = []

    def ends(topic: str) -> Mapping[int, int]:
        asked.append(topic)
        return world.log.end(topic)

    audience = FollowedAudience(ends)
    audience.attach(world.follower)
    audience.catch_up_wholly({})
    assert sorted(asked) == sorted((SUBSCRIPTIONS.name, PAGES.name))
    asked.clear()
    audience.catch_up({(PAGES.name, 0): 0})
    assert asked == [SUBSCRIPTIONS.name], "of pages it need know what a notice follows from"


def test_a_batch_of_notices_asks_once_and_before_it_is_folded(world: World) -> None:
    world.subscribe(ANN)
    notices = [notice_of(OPENING, f"outage-{number}", NOON) for number in range(20)]
    for notice in notices:
        world.publish(notice)
    asked = 0
    before = world.audience.catch_up

    def counted(causes: Positions) -> None:
        nonlocal asked
        asked += 1
        before(causes)

    world.work(replace(world.planner(), begins=counted))
    assert 1 <= asked <= NOTIFICATIONS.partitions
    assert all(world.told(notice.update) == [ANN] for notice in notices)
