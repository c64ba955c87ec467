"""The promise of the next update: when operators are reminded of it, and what takes it back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas import events as e
from schemas.vocabulary import IncidentStatus, Kind
from streams.domain.clockwork import MOST_NOTICE, remind_at
from tests.builders.page_history import History
from tests.builders.views import HOUR, MINUTE, NOW, SETTINGS

IDENTIFIED, RESOLVED = IncidentStatus.IDENTIFIED, IncidentStatus.RESOLVED


def reminders(history: History) -> list[int | None]:
    """The promises that operators were reminded of."""
    return [notice.promise_at for notice in history.notices if notice.kind is Kind.REMINDER]


@pytest.mark.parametrize(
    ("promised", "made", "due"),
    [
        (30 * MINUTE, 0, 25 * MINUTE), (9 * MINUTE, 0, 6 * MINUTE), (3 * MINUTE, 0, 2 * MINUTE), (HOUR, 40 * MINUTE, 55 * MINUTE),
        (HOUR, HOUR, HOUR), (HOUR, 2 * HOUR, HOUR),
    ],
    ids=["half an hour", "nine minutes", "three minutes", "made late", "made as it is due", "made when it was over"],
)  # fmt: skip
def test_a_third_before_it_is_due_and_at_most_five_minutes(promised: int, made: int, due: int) -> None:
    assert remind_at(promised, made) == due


@given(st.integers(0, 10**17), st.integers(0, 10**17))
def test_a_reminder_lies_between_the_promise_and_its_making(promised: int, made: int) -> None:
    due = remind_at(promised, made)
    assert promised - MOST_NOTICE <= due <= promised
    assert due >= min(made, promised)


def test_operators_are_reminded_before_it_is_broken_and_once() -> None:
    history = History()
    history.fires("api", "eu")
    history.wait(25 * MINUTE - 1)
    assert reminders(history) == []
    history.wait(1)
    assert reminders(history) == [NOW + 30 * MINUTE]
    history.wait(5 * HOUR)
    assert len(reminders(history)) == 1


def test_a_wake_up_that_a_log_repeats_reminds_of_nothing_again() -> None:
    history = History()
    name = history.opens("login", promise_at=NOW + 30 * MINUTE)
    fired = e.TimerFired("pages", f"promise:{name}", NOW + 25 * MINUTE)
    history.race(fired, fired)
    history.say(fired)
    assert reminders(history) == [NOW + 30 * MINUTE]
    history.updates(name, IDENTIFIED, promise_at=NOW + 30 * MINUTE)
    history.wait(HOUR)
    assert reminders(history) == [NOW + 30 * MINUTE] * 2, "the update made the promise anew"


def test_an_update_replaces_the_promise() -> None:
    history = History()
    name = history.opens("login", promise_at=NOW + 30 * MINUTE)
    history.wait(20 * MINUTE)
    history.updates(name, IDENTIFIED, promise_at=NOW + HOUR)
    history.wait(10 * MINUTE)
    assert reminders(history) == []
    history.wait(HOUR)
    assert reminders(history) == [NOW + HOUR]


def test_a_timer_that_was_under_way_when_the_promise_was_replaced_leaves_it_a_timer() -> None:
    history = History()
    name = history.opens("login", promise_at=NOW + 30 * MINUTE)
    history.race(
        e.IncidentUpdated(name, "aa", "News.", IDENTIFIED, None, [], None, NOW + HOUR),
        e.TimerFired("pages", f"promise:{name}", NOW + 25 * MINUTE),
    )
    assert reminders(history) == []
    history.wait(HOUR)
    assert reminders(history) == [NOW + HOUR]


def test_an_update_without_a_promise_takes_it_back() -> None:
    history = History()
    name = history.opens("login", promise_at=NOW + 30 * MINUTE)
    history.updates(name, IDENTIFIED)
    assert (history.incident.promise_at, history.page.timers) == (None, {})


def test_a_silent_change_keeps_it() -> None:
    history = History()
    history.fires("api", "eu")
    history.fires("api", "eu", "warning", starts_at=NOW)
    history.wait(HOUR)
    assert reminders(history) == [NOW + 30 * MINUTE]


def test_the_resolution_ends_it() -> None:
    history = History()
    name = history.opens("login", promise_at=NOW + 30 * MINUTE)
    history.updates(name, RESOLVED, promise_at=NOW + HOUR)
    assert (history.incident.promise_at, history.page.timers) == (None, {})
    assert history.notices[-1].promise_at is None


@pytest.mark.parametrize(
    ("before", "due", "why"),
    [
        (None, NOW + 24 * MINUTE, "the promise was replaced"),
        (IDENTIFIED, NOW + 25 * MINUTE, "no promise is open"),
        (RESOLVED, NOW + 25 * MINUTE, "no promise is open"),
    ],
    ids=["of another time", "taken back", "resolved"],
)
def test_a_timer_without_its_promise_is_ignored(before: IncidentStatus | None, due: int, why: str) -> None:
    history = History()
    name = history.opens("login", promise_at=NOW + 30 * MINUTE)
    if before is not None:
        history.updates(name, before)
    assert history.say(e.TimerFired("pages", f"promise:{name}", due)) == why
    assert reminders(history) == []


def test_a_timer_that_comes_twice_reminds_with_the_same_ids() -> None:
    history = History()
    history.opens("login", promise_at=NOW + 30 * MINUTE)
    history.wait(25 * MINUTE)
    timer = next(event for event in history.page_events() if isinstance(event.data, e.TimerFired))
    again = history.page.fold(timer).emitted
    assert {one.id for one in again} <= {one.id for one in history.page_events()}


def test_a_reminder_of_a_promise_that_was_kept_meanwhile_is_ignored() -> None:
    history = History()
    name = history.opens("login", promise_at=NOW + 30 * MINUTE)
    history.updates(name, IDENTIFIED, promise_at=NOW + HOUR)
    assert history.say(e.PromiseReminded(name, NOW + 30 * MINUTE), actor="tocsin") == "the promise was kept or replaced"
    assert reminders(history) == []


def test_a_page_that_promises_nothing_reminds_of_nothing() -> None:
    history = History()
    history.say(replace(SETTINGS, update_every=0), actor="config")
    history.fires("api", "eu")
    assert (history.incident.promise_at, history.page.timers) == (None, {})


@pytest.mark.parametrize(
    "timer", ["", "promise", "promise:", "promise:x", "draft:x", "start:x", "end:x", "lease:prom/x", "nope:1"]
)
def test_a_timer_of_nothing_is_ignored(timer: str) -> None:
    assert History().say(e.TimerFired("pages", timer, NOW)) is not None
