"""Who is suppressed and who comes back: every kind against every way back, and what is said late, twice and out of order."""

from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.reports import Addresses, DeliveryReport, SubscriberReport
from consumers.delivery.subscriber_book import SubscriberBook
from consumers.delivery.subscribers import ACTIVE, PAUSED, PENDING, PROCESSOR, REMOVED, SUPPRESSED
from consumers.delivery.suppression import Quarantine, decide
from schemas import events as e
from schemas.events import AnyEvent, Event, EventData, Micros
from schemas.vocabulary import Suppression
from streams.domain.processor import Output
from streams.domain.state import memory_state
from streams.runtime.signup import BY_OPERATOR, BY_OWNER
from tests.unit.delivery.pipeline import PAGE, Pipeline

NOW = 1_000
EVERYTHING = list(Suppression)


def event(data: EventData, at: Micros = NOW) -> AnyEvent:
    return Event(f"{type(data).__name__} {at}", PAGE, at, at, "test", None, None, False, data)


def stop(at: Micros, kind: Suppression = Suppression.OPTED_OUT) -> AnyEvent:
    return event(e.EndpointSuppressed("ann", "because", kind), at)


def start(at: Micros, overrules: Sequence[Suppression] = BY_OWNER) -> AnyEvent:
    return event(e.EndpointReinstated("ann", "because", list(overrules)), at)


def stands(events: Sequence[AnyEvent], state: str = ACTIVE) -> Quarantine:
    known = Quarantine(state, None, "", 0)
    for each in events:
        decided = decide(known, each)
        known = known if isinstance(decided, str) else decided
    return known


@pytest.mark.parametrize("kind", Suppression)
@pytest.mark.parametrize(
    ("by", "overrules"),
    [("operator", BY_OPERATOR), ("owner", BY_OWNER), ("in spite", [*BY_OPERATOR, Suppression.COMPLAINED])],
)
def test_who_may_bring_back_whom(kind: Suppression, by: str, overrules: Sequence[Suppression]) -> None:
    back = {
        "operator": {Suppression.REFUSED, Suppression.BOUNCED, Suppression.GONE, Suppression.FAILING},
        "owner": set(Suppression) - {Suppression.COMPLAINED},
        "in spite": set(Suppression) - {Suppression.OPTED_OUT},
    }
    assert (stands([stop(1, kind), start(2, overrules)]).state == ACTIVE) is (kind in back[by])


@pytest.mark.parametrize("state", [PENDING, ACTIVE, PAUSED])
def test_who_comes_back_stands_as_before(state: str) -> None:
    assert stands([stop(1), start(2)], state) == Quarantine(state, None, "", 2)


@pytest.mark.parametrize("order", list(permutations([stop(1), start(2)])), ids=str)
def test_a_stop_that_comes_late_changes_nothing(order: tuple[AnyEvent, ...]) -> None:
    assert stands([stop(0), *order, *order]).state == ACTIVE


@pytest.mark.parametrize("order", list(permutations([start(1), stop(2)])), ids=str)
def test_nor_does_a_start(order: tuple[AnyEvent, ...]) -> None:
    assert stands([stop(0), *order, *order]).state == SUPPRESSED


def test_at_the_same_moment_the_stop_counts() -> None:
    assert stands([stop(1), start(1)]).state == stands([stop(0), start(1), stop(1)]).state == SUPPRESSED


def test_a_wish_outweighs_a_bounce_and_a_complaint_a_wish_whichever_is_said_first() -> None:
    said = [stop(1, Suppression.OPTED_OUT), stop(2, Suppression.COMPLAINED), stop(3, Suppression.BOUNCED)]
    for order in permutations(said):
        assert stands(order).suppression is Suppression.COMPLAINED
    assert stands([stop(1, Suppression.BOUNCED), stop(2, Suppression.REFUSED)]).suppression is Suppression.BOUNCED


def test_who_has_gone_is_neither_suppressed_nor_brought_back() -> None:
    assert isinstance(decide(Quarantine(REMOVED, None, "", 0), stop(1)), str)
    assert isinstance(decide(Quarantine(REMOVED, None, "", 0), start(1)), str)
    assert isinstance(decide(None, stop(1)), str)


_SAID = st.builds(
    lambda is_stop, at, kind: stop(at, kind) if is_stop else start(at, EVERYTHING),
    st.booleans(), st.integers(1, 6), st.sampled_from(Suppression),
)  # fmt: skip


@given(st.lists(_SAID, max_size=8))
def test_what_was_said_once_may_be_said_again(said: list[AnyEvent]) -> None:
    once = stands(said)
    assert stands([*said, *said[-1:]]) == once
    assert (once.state == SUPPRESSED) == (once.suppression is not None)


@pytest.fixture
def texts(tmp_path: Path) -> Iterator[Pipeline]:
    made = Pipeline(tmp_path)
    yield made
    made.close()


async def test_who_is_back_is_told_again(texts: Pipeline) -> None:
    subscriber = texts.subscribe("ann@example.com")
    texts.append(e.EndpointSuppressed(subscriber, "answered STOP", Suppression.OPTED_OUT))
    texts.publish()
    await texts.deliver()
    assert texts.channel.told() == []
    texts.now += 1
    texts.append(e.EndpointReinstated(subscriber, "answered START", list(BY_OWNER)))
    texts.publish(subject="another")
    await texts.deliver()
    assert len(texts.channel.told()) == 1


async def test_the_report_of_deliveries_says_whose_address_is_dead_by_now(texts: Pipeline) -> None:
    subscriber = texts.subscribe("ann@example.com")
    texts.publish()
    await texts.deliver()
    texts.append(e.EndpointSuppressed(subscriber, "reported as spam", Suppression.COMPLAINED))
    addresses = Addresses(texts.backend.vault, {"email": texts.channel})
    report = DeliveryReport(texts.backend.queue, texts.backend.subscribers.book, addresses)
    [row], _ = report.list(PAGE, "incident", None, 9)
    assert (row.state, row.suppression) == ("sent", Suppression.COMPLAINED)


# --- who is listed ---


def test_who_is_suppressed_is_listed_behind_a_cursor_with_the_kind_and_without_addresses(texts: Pipeline) -> None:
    people = sorted(texts.subscribe(f"{name}@example.com") for name in ("ann", "ben", "eve", "kim"))
    for one in people[1:]:
        texts.append(e.EndpointSuppressed(one, "550", Suppression.BOUNCED))
    addresses = Addresses(texts.backend.vault, {"email": texts.channel})
    for book in (texts.backend.subscribers.book, in_memory(texts)):
        report = SubscriberReport(book, addresses)
        first, cursor = report.list(PAGE, None, 2, SUPPRESSED)
        rest, end = report.list(PAGE, cursor, 2, SUPPRESSED)
        assert [row.id for row in (*first, *rest)] == people[1:]
        assert end is None
        assert {(row.suppression, row.reason, row.state) for row in first} == {(Suppression.BOUNCED, "550", SUPPRESSED)}
        assert all("@example.com" not in row.address for row in first)
        assert [row.id for row in report.list(PAGE, None, 9, ACTIVE)[0]] == people[:1]
        assert report.list(PAGE, None, 9, REMOVED) == ([], None)


def in_memory(texts: Pipeline) -> SubscriberBook:
    """Return the distributed engine's book of the same people."""
    tables = memory_state(PROCESSOR.tables)
    for one in texts.events():
        if type(one.data).__name__ in PROCESSOR.types:
            PROCESSOR.step(tables, one, Output(one))
    book = SubscriberBook()
    book.load(tables)
    return book
