"""Facts as events: each once, in any order the same end, and nothing that cannot count any more."""

from collections.abc import Callable, Sequence
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery import ledger_rules as rules
from producers.receipts.receipt import Fact, What
from producers.receipts.recording import MOST_RESULTS, Recorded, Recorder
from schemas.events import (
    AnyEvent,
    DeliveriesRecorded,
    DeliveryResult,
    EndpointReinstated,
    EndpointSuppressed,
    EventData,
)
from schemas.ids import derive
from schemas.topics import shard_of
from schemas.vocabulary import NotificationState as State
from schemas.vocabulary import Suppression
from streams.runtime.notified import Notified
from streams.runtime.signup import BY_OWNER

NOW, PAGE = 1_795_357_800_000_000, "acme"
ANN, BEN = (derive("subscriber", name) for name in ("ann", "ben"))
TO_ANN, TO_BEN = (rules.notification_id("outage", "u1", whose) for whose in (ANN, BEN))
LEDGER = {
    one: Notified(whose, "email", shard_of(whose), State.CLAIMED) for one, whose in ((TO_ANN, ANN), (TO_BEN, BEN))
}


def fact(what: What, notification: str = TO_ANN, at: int = NOW, key: str = "", address: str = "") -> Fact:
    return Fact("" if address else notification, what, f"said {what}", at, key or f"{what} of {notification}", address)


def recorded(*facts: Fact, state: State = State.CLAIMED, owners: dict[str, list[str]] | None = None) -> Recorded:
    known = {one: Notified(found.subscriber, found.channel, found.shard, state) for one, found in LEDGER.items()}
    return Recorder(PAGE, "smoke", NOW, known, owners or {}).record(facts)


def results(events: Sequence[AnyEvent]) -> list[DeliveryResult]:
    return [one for event in events if isinstance(event.data, DeliveriesRecorded) for one in event.data.results]


def ended(state: State, events: Sequence[AnyEvent]) -> tuple[State, str]:
    """Return where the notification to Ann stands after events, by the rules of the ledger."""
    item = rules.Item(TO_ANN, "u1", NOW, state, "receipt" if state is State.SENT else "", "a sender", 1, NOW, None)
    for event in events:
        if isinstance(event.data, DeliveriesRecorded):
            for one in event.data.results:
                if one.notification == TO_ANN:
                    item = rules.record(item, event.data.worker, one, NOW)
    return item.state, item.reason


OPEN = [State.CLAIMED, State.IN_DOUBT, State.SENT]


@pytest.mark.parametrize("state", OPEN)
@pytest.mark.parametrize(
    ("what", "after"),
    [
        (What.ACCEPTED, State.SENT),
        (What.DELIVERED, State.DELIVERED),
        (What.FAILED, State.FAILED),
        (What.UNREACHABLE, State.FAILED),
    ],
)
def test_what_a_fact_does_to_a_notification(state: State, what: What, after: State) -> None:
    found = recorded(fact(what), state=state)
    kept = state is State.SENT and what in (What.ACCEPTED, What.DELIVERED)
    assert ended(state, found.events) == (after, "receipt" if kept else f"said {what}")


@pytest.mark.parametrize("state", [State.DELIVERED, State.FAILED, State.SUPPRESSED, State.SUPERSEDED])
@pytest.mark.parametrize("what", [What.ACCEPTED, What.DELIVERED, What.FAILED])
def test_what_has_ended_stays_so_and_nothing_is_written(state: State, what: What) -> None:
    assert recorded(fact(what), state=state) == Recorded([], 0, 1, 0)


def test_what_is_known_is_not_written_again() -> None:
    assert recorded(fact(What.ACCEPTED), state=State.SENT) == Recorded([], 0, 1, 0)
    twice = recorded(fact(What.DELIVERED), fact(What.DELIVERED))
    assert (twice.news, twice.repeats, len(results(twice.events))) == (1, 1, 1)


@pytest.mark.parametrize("order", list(permutations([What.ACCEPTED, What.DELIVERED, What.LEFT])), ids=str)
def test_order_does_not_matter(order: tuple[What, ...]) -> None:
    together = recorded(*map(fact, order)).events
    apart = [event for what in order for event in recorded(fact(what)).events]
    assert ended(State.IN_DOUBT, together)[0] is ended(State.IN_DOUBT, apart)[0] is State.DELIVERED


ALL = st.sampled_from([What.ACCEPTED, What.DELIVERED, What.FAILED, What.UNREACHABLE])


@given(st.lists(ALL, min_size=1, max_size=8), st.sampled_from(OPEN), st.data())
def test_an_end_once_reached_is_never_left(said: list[What], state: State, data: st.DataObject) -> None:
    """Facts come in any order, many times, in requests of any size, and each request sees the ledger as it was before all."""
    parts, rest = [], list(said)
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        parts.append(rest[:size])
        rest = rest[size:]
    events: list[AnyEvent] = []
    seen: list[State] = []
    for part in parts:
        events += recorded(*map(fact, part), state=state).events
        seen.append(ended(state, events)[0])
    final = {State.DELIVERED, State.FAILED}
    for before, after in pairwise(seen):
        assert after is before or before not in final
    assert seen[-1] in final or set(said) == {What.ACCEPTED}


def test_consequences_for_the_subscriber() -> None:
    found = recorded(fact(What.UNREACHABLE), fact(What.LEFT, TO_BEN, at=NOW - 5))
    bounced, left = [event for event in found.events if not isinstance(event.data, DeliveriesRecorded)]
    assert bounced.id == derive("suppress", TO_ANN), "the id that the sender derives too"
    assert bounced.data == EndpointSuppressed(ANN, "said unreachable", Suppression.BOUNCED)
    assert left.data == EndpointSuppressed(BEN, "said left", Suppression.OPTED_OUT)
    assert (left.actor, left.occurred_at, left.recorded_at) == (f"subscriber:{BEN}", NOW - 5, NOW)
    assert found.news == 2


def test_whose_mail_arrived_may_still_bounce_leave_and_complain() -> None:
    found = recorded(fact(What.UNREACHABLE), fact(What.LEFT), fact(What.COMPLAINED), state=State.DELIVERED)
    kinds = [event.data.kind for event in found.events if isinstance(event.data, EndpointSuppressed)]
    assert kinds == [Suppression.BOUNCED, Suppression.OPTED_OUT, Suppression.COMPLAINED]
    assert len({event.id for event in found.events}) == 3
    assert (found.news, found.repeats) == (3, 0)


def test_who_returns_takes_back_what_providers_and_they_themselves_said_but_no_complaint() -> None:
    [event] = recorded(fact(What.RETURNED)).events
    assert isinstance(event.data, EndpointReinstated)
    assert set(Suppression) - set(event.data.overrules) == {Suppression.COMPLAINED}
    assert event.actor == f"subscriber:{ANN}"


@pytest.mark.parametrize(
    ("what", "data"),
    [
        (What.LEFT, lambda one: EndpointSuppressed(one, "said left", Suppression.OPTED_OUT)),
        (What.RETURNED, lambda one: EndpointReinstated(one, "said returned", list(BY_OWNER))),
    ],
)
def test_what_people_write_concerns_all_who_own_the_address(what: What, data: Callable[[str], EventData]) -> None:
    owners = {"+15005550006": [ANN, BEN]}
    found = recorded(fact(what, address="+15005550006"), fact(what, address="+1", key="k"), owners=owners)
    assert [event.data for event in found.events] == [data(one) for one in (ANN, BEN)]
    assert (found.news, found.unknown) == (1, 1)


def test_what_they_write_is_one_event_however_often_it_is_brought() -> None:
    owners = {"+15005550006": [ANN]}
    [[first], [again]] = [
        recorded(fact(What.LEFT, address="+15005550006", at=NOW - late), owners=owners).events for late in (9, 5)
    ]
    assert first.id == again.id


def test_what_is_not_ours_is_counted() -> None:
    assert recorded(fact(What.DELIVERED, "elsewhere"), fact(What.LEFT, "elsewhere")) == Recorded([], 0, 0, 2)


def test_the_time_is_the_providers_but_never_later_than_ours() -> None:
    [early] = recorded(fact(What.DELIVERED, at=NOW - 60)).events
    [late] = recorded(fact(What.DELIVERED, at=NOW + 60)).events
    assert (early.occurred_at, late.occurred_at, late.recorded_at) == (NOW - 60, NOW, NOW)


def test_the_same_request_is_the_same_events() -> None:
    facts = [fact(What.DELIVERED), fact(What.UNREACHABLE, TO_BEN)]
    first, again = recorded(*facts), recorded(*facts)
    assert [event.id for event in first.events] == [event.id for event in again.events]
    assert len({event.id for event in first.events}) == len(first.events)


def test_a_thousand_facts_are_a_few_events_within_the_bounds_of_the_schema() -> None:
    people = [derive("subscriber", str(n)) for n in range(3_000)]
    shard = shard_of(people[0])
    known = {rules.notification_id("outage", "u1", one): Notified(one, "email", shard, State.CLAIMED) for one in people}
    facts = [fact(What.FAILED, one) for one in known]
    found = Recorder(PAGE, "smoke", NOW, known, {}).record(facts)
    assert len(found.events) == 6
    assert {event.data.shard for event in found.events if isinstance(event.data, DeliveriesRecorded)} == {shard}
    assert max(len(results([event])) for event in found.events) == MOST_RESULTS
    said = [(one.notification, one.state) for one in results(found.events)]
    assert said == [(one, state) for one in known for state in (State.SENT, State.FAILED)], "taken first, then failed"
