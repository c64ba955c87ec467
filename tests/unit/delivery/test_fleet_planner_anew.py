"""A planner whose store was lost: the plans on the log are the record, whoever has come, gone or changed since."""

from collections.abc import Iterator

import pytest

from consumers.delivery.ledger_processor import LEDGER
from schemas.events import (
    AnyEvent,
    Cell,
    Event,
    Filter,
    NoticePublished,
    NotificationsPlanned,
    SubscriberChanged,
    SubscriberRemoved,
)
from schemas.topics import NOTIFICATIONS
from schemas.vocabulary import Impact, Kind
from streams.log.origin import imported
from streams.log.port import LogUnavailableError, record_of
from streams.runtime.memory_store import MemoryStateStore
from tests.unit.delivery.pipeline import NOON, OPENING, PAGE, RESOLVED, notice_of
from tests.unit.delivery.test_fleet_planner import ANN, BEN, EVE, Failing, World

EU, US = (Filter([Cell("api", region)], Impact.NONE, [Kind.INCIDENT]) for region in ("eu", "us"))


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.follower.stop()


def lose(world: World) -> None:
    """Let the store be lost with all it knew; who is subscribed is followed from the log, and so not."""
    world.store = MemoryStateStore()


def test_nobody_is_added_to_a_notice_that_was_planned(world: World) -> None:
    world.subscribe(ANN)
    notice = notice_of(OPENING, "outage", NOON)
    world.publish(notice)
    world.work(world.planner())
    world.subscribe(BEN)
    lose(world)
    world.work(world.planner())
    assert world.told(notice.update) == [ANN]
    assert len(world.plans()) == 1


def test_that_nobody_was_to_be_told_is_remembered(world: World) -> None:
    notice = notice_of(OPENING, "outage", NOON)
    world.publish(notice)
    world.work(world.planner())
    assert [plan.recipients for plan in world.plans()] == [[]]
    world.subscribe(ANN)
    lose(world)
    world.work(world.planner())
    world.work(LEDGER)
    assert world.told(notice.update) == []
    assert world.threads() == []


def test_whoever_was_told_hears_of_the_end_though_another_filter_was_chosen_since(world: World) -> None:
    world.subscribe(ANN, wanted=EU)
    opening = notice_of(OPENING, "outage", NOON)
    world.publish(opening)
    world.work(world.planner())
    world.say(SubscriberChanged(ANN, US))
    world.subscribe(BEN, wanted=EU)
    lose(world)
    world.work(world.planner())
    over = notice_of(RESOLVED, "outage", NOON, [Cell("api", "ap")])
    world.publish(over)
    world.work(world.planner())
    assert world.told(opening.update) == [ANN]
    assert world.told(over.update) == [ANN], "Ben was not there when it began"


def test_several_updates_are_recalled_each_with_its_own_audience(world: World) -> None:
    people = (ANN, BEN, EVE)
    notices = [notice_of(OPENING, subject, NOON) for subject in ("one", "two", "three")]
    for one, notice in zip(people, notices, strict=True):
        world.subscribe(one)
        world.publish(notice)
        world.work(world.planner())
    before = {notice.update: world.told(notice.update) for notice in notices}
    lose(world)
    world.work(world.planner())
    assert {notice.update: world.told(notice.update) for notice in notices} == before
    assert [len(told) for told in before.values()] == [1, 2, 3]


def test_what_was_not_yet_planned_when_the_store_was_lost_is_planned(world: World) -> None:
    world.subscribe(ANN)
    planned, missed = (notice_of(OPENING, subject, NOON) for subject in ("planned", "missed"))
    world.publish(planned)
    world.work(world.planner())
    world.publish(missed)
    lose(world)
    world.work(world.planner())
    assert world.told(planned.update) == world.told(missed.update) == [ANN]


def test_a_plan_of_which_a_part_is_missing_is_completed_and_leaves_nobody_out(world: World) -> None:
    people = [f"{number:02x}{number:030x}" for number in range(0, 256, 4)]
    world.subscribe(*people)
    notice = notice_of(OPENING, "outage", NOON)
    world.publish(notice)
    with pytest.raises(LogUnavailableError):
        world.work(world.planner(), Failing(world.log, 40))
    world.say(*(SubscriberRemoved(one, "unsubscribed") for one in people[:10]))
    lose(world)
    world.work(world.planner())
    world.work(LEDGER)
    assert sorted(thread.subscriber for thread in world.threads()) == people
    over = notice_of(RESOLVED, "outage", NOON, [Cell("elsewhere", None)])
    world.publish(over)
    world.work(world.planner())
    assert world.told(over.update) == people[10:]


def test_a_worker_that_dies_while_it_recalls_is_followed_by_one_that_goes_on(world: World) -> None:
    notices = [notice_of(OPENING, subject, NOON) for subject in ("one", "two", "three", "four")]
    for notice in notices:
        world.publish(notice)
    world.subscribe(ANN)
    world.work(world.planner())
    world.subscribe(BEN)
    lose(world)
    world.work(world.planner(), most=1)
    world.work(world.planner())
    assert [world.told(notice.update) for notice in notices] == [[ANN]] * 4


def test_a_log_that_was_carried_over_brings_its_plans_along(world: World) -> None:
    """The other log's planner decided: of its notices nothing is planned here, and whom it told is told to the end."""
    notices = [notice_of(OPENING, subject, NOON) for subject in ("planned", "for nobody")]
    opening = notices[0]
    plan = NotificationsPlanned(opening.update, opening.subject_id, opening.kind, "email", 0, 0, [ANN])
    world.subscribe(ANN, wanted=US)
    world.subscribe(BEN, wanted=EU)
    for number, data in enumerate((*map(NoticePublished, notices), plan)):
        event: AnyEvent = Event(f"e{number}", PAGE, NOON, NOON, "tocsin", None, None, False, data)
        world.log.append([record_of(event, origin=imported((NOTIFICATIONS.name, 0), number))])
    world.work(world.planner())
    assert world.plans() == [plan]
    over = notice_of(RESOLVED, "planned", NOON, [Cell("api", "ap")])
    nothing = notice_of(RESOLVED, "for nobody", NOON, [Cell("api", "ap")])
    world.publish(over)
    world.publish(nothing)
    world.work(world.planner())
    assert world.told(over.update) == [ANN]
    assert world.told(nothing.update) == []
