"""The ledger's rules: the order of its two topics does not matter, and both engines' ledgers say the same of any history."""

from collections.abc import Hashable, Sequence
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery import ledger_rules as rules
from consumers.delivery.ledger import OVERTAKEN, LedgerStage
from consumers.delivery.ledger_processor import LEDGER, NOTICES, THREADS, ranked
from consumers.delivery.ledger_rules import Item, Thread, notification_id
from schemas.events import (
    AnyEvent,
    DeliveriesRecorded,
    DeliveryResult,
    Event,
    EventData,
    NoticePublished,
    NotificationsClaimed,
    NotificationsPlanned,
    NotificationsRedriven,
)
from schemas.topics import route, shard_of
from schemas.vocabulary import IncidentStatus, Kind
from schemas.vocabulary import NotificationState as State
from streams.domain.processor import Output
from streams.domain.state import MemoryTable, memory_state
from streams.runtime.replay import new_file
from tests.strategies.interleaving import interleavings
from tests.unit.delivery.pipeline import notice_of

PAGE = "acme"
PEOPLE = ("ann", "ben")
UPDATES = (("outage", "u1"), ("outage", "u2"), ("outage", "u3"), ("other", "u4"))
IDS = [notification_id(subject, update, name) for subject, update in UPDATES for name in PEOPLE]
WORKERS = ("one", "other", "gone")
Row = tuple[Any, ...]

plans = st.builds(
    lambda update, names: NotificationsPlanned(update[1], update[0], Kind.INCIDENT, "email", 0, 7, names),
    st.sampled_from(UPDATES),
    st.lists(st.sampled_from(PEOPLE), min_size=1, unique=True),
)
claims = st.builds(
    lambda worker, ids: NotificationsClaimed(worker, 7, ids),
    st.sampled_from(WORKERS),
    st.lists(st.sampled_from(IDS), max_size=3),
)
results = st.builds(
    DeliveryResult, st.sampled_from(IDS), st.sampled_from(State), st.just("why"), st.none() | st.just(99)
)
records = st.builds(
    lambda worker, found: DeliveriesRecorded(worker, 7, found),
    st.sampled_from(WORKERS),
    st.lists(results, max_size=3),
)
redrives = st.builds(
    lambda ids, even: NotificationsRedriven(7, ids, even), st.lists(st.sampled_from(IDS), max_size=3), st.booleans()
)
histories: st.SearchStrategy[list[EventData]] = st.lists(st.one_of(plans, claims, records, redrives), max_size=14)


def events_of(history: Sequence[EventData]) -> list[AnyEvent]:
    return [
        Event(str(number), PAGE, number, number, "tocsin", None, None, False, data)
        for number, data in enumerate(history, 1)
    ]


def folded(events: Sequence[AnyEvent]) -> dict[str, MemoryTable[Any]]:
    tables = memory_state(LEDGER.tables)
    for event in events:
        LEDGER.step(tables, event, Output(event))
    return tables


def threads(events: Sequence[AnyEvent]) -> dict[str, Thread]:
    return folded(events)[THREADS].rows(PAGE)


def by_topic(event: AnyEvent) -> Hashable:
    return route(event)[0]


@given(st.data(), histories)
def test_the_two_topics_may_come_in_any_order(data: st.DataObject, history: list[EventData]) -> None:
    """Each keeps its own order: a claim may come before the plan that it belongs to."""
    events = events_of([NoticePublished(notice_of(IncidentStatus.INVESTIGATING, "outage", 1)), *history])
    other = data.draw(interleavings(events, by_topic))
    assert threads(other) == threads(events)
    assert folded(other)[NOTICES].rows(PAGE) == folded(events)[NOTICES].rows(PAGE)


@given(histories)
def test_a_plan_that_comes_twice_is_as_one(history: list[EventData]) -> None:
    twice = [each for data in history for each in ([data, data] if isinstance(data, NotificationsPlanned) else [data])]
    at = [number for number, data in enumerate(history, 1) for _ in range(1 + isinstance(data, NotificationsPlanned))]
    again = [
        Event(str(index), PAGE, number, number, "tocsin", None, None, False, data)
        for index, (number, data) in enumerate(zip(at, twice, strict=True))
    ]
    assert threads(again) == threads(events_of(history))


def causal(history: Sequence[EventData]) -> list[EventData]:
    """Leave out of claims and results what was not planned before: in one process nobody can know of it."""
    planned: set[str] = set()
    found: list[EventData] = []
    for data in history:
        match data:
            case NotificationsPlanned(update=update, subject_id=subject, recipients=recipients):
                planned |= {notification_id(subject, update, one) for one in recipients}
                found.append(data)
            case NotificationsClaimed(worker=worker, shard=shard, notifications=ids):
                found.append(NotificationsClaimed(worker, shard, [one for one in ids if one in planned]))
            case DeliveriesRecorded(worker=worker, shard=shard, results=named):
                found.append(DeliveriesRecorded(worker, shard, [one for one in named if one.notification in planned]))
            case NotificationsRedriven(shard=shard, notifications=ids, even_in_doubt=even):
                found.append(NotificationsRedriven(shard, [one for one in ids if one in planned], even))
            case _:
                raise AssertionError(data)
    return found


def stored(events: Sequence[AnyEvent]) -> dict[str, list[Row]]:
    """Return the embedded ledger's rows by subject and subscriber, in the order of the plans."""
    found: dict[str, list[Row]] = {}
    with closing(new_file()) as connection:
        stage = LedgerStage()
        stage.load(connection)
        stage.run(connection, events)
        for row in connection.execute(
            "select subject, subscriber, page, channel, shard, notification, update_id, state, reason, worker, attempts,"
            " at, due from ledger order by seq"
        ):
            found.setdefault(f"{row[0]}/{row[1]}", []).append(row[2:])
    return found


def kept(events: Sequence[AnyEvent]) -> dict[str, list[Row]]:
    """Return the same of the distributed ledger."""
    return {
        f"{thread.subject}/{thread.subscriber}": [
            (
                PAGE, thread.channel, thread.shard, item.notification, item.update, item.state.value, item.reason,
                item.worker, item.attempts, item.at, OVERTAKEN if item in thread.overtaken else item.due,
            )
            for item in thread.planned
        ]
        for thread in threads(events).values()
    }  # fmt: skip


@given(histories)
def test_both_engines_ledgers_say_the_same(history: list[EventData]) -> None:
    events = events_of(causal(history))
    assert kept(events) == stored(events)


@given(histories)
def test_what_is_ranked_is_one_place_for_each_thing_that_can_happen_to_it(history: list[EventData]) -> None:
    for key, thread in threads(events_of(causal(history))).items():
        names = {name.partition("/")[0] for name, _ in ranked(key, thread)}
        waits = [one for one in thread.planned if one.due is not None]
        held = [one for one in thread.planned if one.state is State.CLAIMED]
        assert names >= {"subject"}
        assert ("claimed" in names) == bool(held)
        if waits:
            assert names & {"fresh", "queue", "overtaken"} or held, (
                "what waits is found by somebody, or something is in hand"
            )
        assert not ("queue" in names and held), "one is in flight for an endpoint and subject"


def planned() -> Item:
    return Item("n", "u", 1, State.PLANNED, "", "", 0, 1, 1)


def result(state: State) -> DeliveryResult:
    return DeliveryResult("n", state, "", None)


@pytest.mark.parametrize("state", [State.PLANNED, State.FAILED, State.SUPPRESSED, State.SUPERSEDED, State.IN_DOUBT])
def test_who_was_paused_cannot_end_what_another_holds(state: State) -> None:
    """The first one's claim was put in doubt and claimed anew while it was away."""
    item = rules.claim(planned(), "first", 2)
    item = rules.record(item, "first", DeliveryResult("n", State.IN_DOUBT, "", 3), 3)
    item = rules.claim(item, "second", 4)
    assert rules.record(item, "first", result(state), 5) == item
    assert rules.record(item, "first", result(State.SENT), 5).state is State.SENT


def test_who_was_paused_may_say_that_nothing_left() -> None:
    item = rules.claim(planned(), "first", 2)
    item = rules.record(item, "first", result(State.IN_DOUBT), 3)
    again = rules.record(item, "first", result(State.PLANNED), 4)
    assert (again.state, again.due) == (State.PLANNED, 4)


def test_what_is_said_in_time_to_be_overtaken_does_not_take_it_out_of_anybodys_hands() -> None:
    item = rules.claim(planned(), "one", 2)
    assert rules.record(item, "other", result(State.SUPERSEDED), 3) == item


@given(st.text("0123456789abcdef", min_size=32, max_size=32))
def test_an_id_names_its_thread_and_subscriber(subscriber: str) -> None:
    first, second = (notification_id("outage", update, subscriber) for update in ("u1", "u2"))
    assert first != second
    assert (
        rules.thread_key(first) == rules.thread_key(second) != rules.thread_key(notification_id("o", "u", subscriber))
    )
    assert rules.subscriber_of(first) == subscriber
    assert shard_of(rules.subscriber_of(first)) == shard_of(subscriber)


def test_a_wish_to_send_after_all_is_about_what_had_ended_by_then() -> None:
    item = rules.record(rules.claim(planned(), "one", 2), "one", result(State.FAILED), 5)
    assert rules.redrive(item, 4, even_in_doubt=True) == item, "it had not failed yet"
    again = rules.redrive(item, 6, even_in_doubt=False)
    assert (again.state, again.due, again.attempts, again.held_until) == (State.PLANNED, 6, 0, 6)
    assert rules.redrive(again, 7, even_in_doubt=True) == again
    assert rules.record(again, "one", result(State.FAILED), 8) == again, "who failed holds it no more"


def test_what_is_in_doubt_stays_in_doubt_while_it_is_asked_again() -> None:
    item = rules.record(rules.claim(planned(), "one", 2), "one", result(State.IN_DOUBT), 5)
    assert rules.redrive(item, 6, even_in_doubt=False) == item
    again = rules.redrive(item, 6, even_in_doubt=True)
    assert (again.state, again.due) == (State.IN_DOUBT, 6)
