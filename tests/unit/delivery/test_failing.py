"""Endpoints that fail again and again: what counts, for how long, and what forgives it; the rule, then both engines."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.failing import CERTAIN, EMPTY, FAILURES, FORGOTTEN, OVER, Record, after, verdict
from consumers.delivery.failing import PROCESSOR as FAILING_FOLD
from consumers.delivery.ledger_rules import notification_id
from schemas.events import (
    AnyEvent,
    DeliveriesRecorded,
    DeliveryResult,
    EndpointReinstated,
    Event,
    IncidentOpened,
    Micros,
    NotificationsClaimed,
)
from schemas.topics import shard_of
from schemas.vocabulary import IncidentStatus, NotificationState
from streams.domain.processor import Output
from streams.domain.state import memory_state
from streams.runtime.signup import BY_OPERATOR
from tests.unit.delivery.pipeline import NOON, PAGE
from tests.unit.delivery.why_worlds import ENGINES, Engine, World

State = NotificationState
DAY: Micros = 86_400_000_000
LONG, SURE, OLD = (round(span.total_seconds()) * 1_000_000 for span in (OVER, CERTAIN, FORGOTTEN))
ANN = "50b5c000000000000000000000000001"


def softly(name: str) -> DeliveryResult:
    return DeliveryResult(name, State.FAILED, "given up after 31 attempts: answered 503", None, soft=True)


def ended(name: str, state: NotificationState) -> DeliveryResult:
    return DeliveryResult(name, state, "as it ended", None)


def told(*happened: tuple[Micros, DeliveryResult]) -> str:
    """Return the verdict after all of these; the reason is empty where there is none."""
    known = EMPTY
    for at, result in happened:
        known = after(known, result, at)
    return verdict(known, "it was busy")


def test_so_many_in_a_row_over_so_long_are_enough() -> None:
    row = [(rank * LONG // (FAILURES - 1), softly(f"n{rank}")) for rank in range(FAILURES)]
    assert told(*row) == "nothing could be delivered for 5 days: it was busy"
    assert told(*row[:-1]) == "", "one less"
    shorter = [(at - (1 if rank == FAILURES - 1 else 0), one) for rank, (at, one) in enumerate(row)]
    assert told(*shorter) == "", "a moment shorter"


def test_failures_of_one_day_are_one_outage_however_many() -> None:
    assert told(*((rank, softly(f"n{rank}")) for rank in range(50))) == ""
    assert told(*((rank * DAY // 10, softly(f"n{rank}")) for rank in range(100))) != "", "and ten days of them are none"


def test_one_notification_counts_once_however_often_it_is_tried() -> None:
    assert told(*((rank * DAY, softly("n")) for rank in range(20))) == ""


@pytest.mark.parametrize("state", [State.SENT, State.DELIVERED])
def test_a_success_forgives_what_was_before(state: NotificationState) -> None:
    row = [(0, softly("a")), (DAY, softly("b")), (2 * DAY, ended("c", state)), (LONG, softly("d"))]
    assert told(*row) == ""
    assert told(*row, (LONG + DAY, softly("e")), (LONG + 2 * DAY, softly("f"))) == "", "the row began anew"
    assert told(*row, (LONG + DAY, softly("e")), (2 * LONG, softly("f"))) != ""


def test_what_was_taken_and_failed_later_was_no_success() -> None:
    row = [
        (0, ended("a", State.SENT)), (1, softly("a")),
        (3 * DAY, ended("b", State.SENT)), (3 * DAY + 1, ended("c", State.SENT)), (3 * DAY + 2, softly("b")),
        (LONG + 9, softly("c")),
    ]  # fmt: skip
    assert told(*row[:-1]) == "", "one may yet arrive"
    assert told(*row) != ""


@pytest.mark.parametrize("state", [State.FAILED, State.SUPPRESSED, State.SUPERSEDED, State.IN_DOUBT, State.PLANNED])
def test_what_is_not_the_endpoints_fault_counts_neither_way(state: NotificationState) -> None:
    row = [(0, softly("a")), (DAY, ended("x", state)), (2 * DAY, softly("b")), (LONG, softly("c"))]
    assert told(*row) != ""
    assert told(*(pair for pair in row if not pair[1].soft)) == ""


def test_what_is_long_past_is_forgotten() -> None:
    assert told((0, softly("a")), (DAY, softly("b")), (OLD + DAY, softly("c"))) == ""


results = st.builds(
    lambda name, state, soft: DeliveryResult(name, state, "", None, soft=soft and state is State.FAILED),
    st.sampled_from([f"n{number}" for number in range(30)]),
    st.sampled_from(State),
    st.booleans(),
)


@given(st.lists(st.tuples(st.integers(0, 3 * DAY), results), max_size=60))
def test_no_history_is_kept_at_length_and_nobody_is_condemned_but_for_failures(
    steps: Sequence[tuple[Micros, DeliveryResult]],
) -> None:
    known, now, soft, arrived = Record(), 0, list[Micros](), -1
    for wait, result in steps:
        now += wait
        known = after(known, result, now)
        soft += [now] if result.soft else []
        arrived = now if result.state is State.DELIVERED else arrived
        assert len(known.failed) <= 10
        assert len(known.taken) <= 10
        since = [at for at in soft if at > arrived]
        if verdict(known, ""):
            assert len(since) >= FAILURES
            assert since[-1] - since[0] >= LONG


def recorded(at: Micros, *results: DeliveryResult) -> AnyEvent:
    data = DeliveriesRecorded("worker", shard_of(ANN), list(results))
    return Event(f"r{at}", PAGE, at, at, "tocsin", None, None, False, data)


def test_the_fold_says_it_once_and_begins_anew() -> None:
    state, said = memory_state(FAILING_FOLD.tables), list[AnyEvent]()
    for rank in range(2 * FAILURES):
        event = recorded(NOON + rank * LONG, softly(notification_id(f"i{rank}", "u", ANN)))
        out = Output(event)
        FAILING_FOLD.step(state, event, out)
        said += out.emitted
    assert [event.recorded_at for event in said] == [NOON + (FAILURES - 1) * LONG, NOON + (2 * FAILURES - 1) * LONG]
    assert len({event.id for event in said}) == 2
    assert state["failing"].count(PAGE) == 0


@pytest.fixture(params=ENGINES, ids=["embedded", "fleet"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    engine: Engine = request.param(tmp_path)
    made = World(engine)
    yield made
    made.close()


def opened(name: str) -> IncidentOpened:
    return IncidentOpened(
        name, f"{name}-1", "Trouble", "We look.", IncidentStatus.INVESTIGATING, None, [], None, None, None, None
    )


def fails(world: World, name: str, subscriber: str) -> None:
    """Open an incident, and have its notification given up."""
    world.say(opened(name))
    notification, shard = notification_id(name, f"{name}-1", subscriber), shard_of(subscriber)
    world.say(NotificationsClaimed("worker", shard, [notification]))
    world.say(DeliveriesRecorded("worker", shard, [softly(notification)]))


async def planned(world: World, name: str, subscriber: str) -> bool:
    found = (await world.ask(subscriber, incident=name)).json()["updates"]
    return bool(found[0]["planned"])


async def test_who_fails_for_days_is_told_no_more_until_an_operator_wants_it(world: World) -> None:
    failing, well = world.subscribe(), world.subscribe()
    for rank in range(FAILURES):
        fails(world, f"day-{rank}", failing)
        world.now += LONG // (FAILURES - 1)
    said = (await world.ask(failing, incident="day-0")).json()["standing"]
    assert (said["state"], said["reason"].split(":")[0]) == ("suppressed", "nothing could be delivered for 5 days")
    world.say(opened("later"))
    assert (await planned(world, "later", failing), await planned(world, "later", well)) == (False, True)
    world.say(EndpointReinstated(failing, "an operator", list(BY_OPERATOR)))
    fails(world, "again", failing)
    world.say(opened("last"))
    assert await planned(world, "last", failing), "it is counted anew"
