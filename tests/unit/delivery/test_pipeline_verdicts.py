"""From an outcome to what is recorded of it: the whole table, and the bounds of waiting."""

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery import backoff, breaker
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent
from consumers.delivery.verdicts import (
    MOST_ATTEMPTS_IN_DOUBT,
    Conclusion,
    after_doubt,
    conclude,
    micros,
)
from schemas.vocabulary import NotificationState as State

NOW = 1_772_366_400_000_000
HOUR = micros(timedelta(hours=1))
REFUSALS = {scope: Rejected(scope, "refused") for scope in Scope}


def concluded(outcome: Outcome, *, attempts: int = 1, waited: int = 0, asks_again: bool = False) -> Conclusion:
    return conclude(
        outcome, attempts=attempts, planned_at=NOW - waited, now=NOW, asks_again=asks_again, random=Random(7)
    )


@pytest.mark.parametrize(
    ("outcome", "state", "again", "condemns", "pauses"),
    [
        (Sent("queued as 7"), State.SENT, False, False, False),
        (Retry("busy"), State.PLANNED, True, False, False),
        (Retry("busy", timedelta(hours=25)), State.FAILED, False, False, False),
        (REFUSALS[Scope.MESSAGE], State.FAILED, False, False, False),
        (REFUSALS[Scope.RECIPIENT], State.FAILED, False, True, False),
        (REFUSALS[Scope.CHANNEL], State.PLANNED, True, False, True),
        (InDoubt("silence"), State.IN_DOUBT, False, False, False),
    ],
)
def test_each_outcome_leads_to_one_state(
    outcome: Outcome, state: State, again: bool, condemns: bool, pauses: bool
) -> None:
    found = concluded(outcome)
    assert (found.state, found.retry_at is not None, found.condemns is not None) == (state, again, condemns)
    assert found.pause_until == (NOW + micros(breaker.FIRST_PAUSE) if pauses else None)


@pytest.mark.parametrize("attempts", range(1, MOST_ATTEMPTS_IN_DOUBT + 2))
def test_a_channel_with_idempotency_keys_is_asked_again_a_few_times(attempts: int) -> None:
    found = concluded(InDoubt("silence"), attempts=attempts, asks_again=True)
    assert found.state is State.IN_DOUBT
    assert (found.retry_at is not None) == (attempts < MOST_ATTEMPTS_IN_DOUBT)


def test_what_fails_for_a_day_is_given_up_and_says_how_often_it_was_tried() -> None:
    found = concluded(Retry("busy"), attempts=31, waited=24 * HOUR)
    assert (found.state, found.reason) == (State.FAILED, "given up after 31 attempts: busy")
    assert concluded(Retry("busy"), attempts=31, waited=22 * HOUR).state is State.PLANNED


@pytest.mark.parametrize("outcome", [Retry("busy"), InDoubt("silence"), *REFUSALS.values()])
def test_a_doubt_stays_one_until_a_success(outcome: Outcome) -> None:
    fresh = concluded(outcome, asks_again=True)
    doubted = after_doubt(fresh)
    assert doubted.state is State.IN_DOUBT
    assert (doubted.retry_at, doubted.pause_until, doubted.condemns) == (
        fresh.retry_at,
        fresh.pause_until,
        fresh.condemns,
    )
    assert after_doubt(concluded(Sent())).state is State.SENT


@given(
    attempts=st.integers(1, 10_000),
    seed=st.integers(),
    asked=st.none() | st.timedeltas(timedelta(0), timedelta(days=3)),
)
def test_waits_double_within_bounds_and_never_undercut_the_provider(
    attempts: int, seed: int, asked: timedelta | None
) -> None:
    wait = backoff.delay(attempts, Random(seed), asked)
    doubled = min(backoff.MOST, backoff.FIRST * 2 ** min(attempts - 1, 20))
    assert wait >= (asked or timedelta(0))
    assert wait >= doubled * 0.8
    assert wait <= max(doubled * 1.2, asked or timedelta(0))


@given(seed=st.integers())
def test_crowds_disperse(seed: int) -> None:
    random = Random(seed)
    assert len({backoff.delay(3, random, None) for _ in range(20)}) > 10
