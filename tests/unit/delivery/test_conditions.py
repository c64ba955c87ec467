"""How channels stand, as their senders find out: what rests, what is held back, who stands in, and who says nothing."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.delivery.channel_report import ChannelReport, notes_of
from consumers.delivery.conditions import (
    LATELY,
    ChannelState,
    Condition,
    HeldBack,
    Rest,
    note,
    sentence,
    standing,
)
from consumers.delivery.fleet_conditions import LASTS, Crier, FleetConditions
from consumers.delivery.outcome import Rejected, Retry, Scope
from consumers.delivery.rates import Limits
from tests.fakes.bulletins import FleetBulletins
from tests.unit.delivery.pipeline import MINUTE, NOON, SECOND, Pipeline, ScriptedChannel

REFUSED = Rest(NOON - MINUTE, NOON + MINUTE, 2, "answered 401")
TRIED = Rest(NOON - 3 * MINUTE, NOON - SECOND, 1, "answered 403")
AWAY = Rest(NOON - MINUTE, NOON + MINUTE, 1, "answered 401", "sendgrid")
ALSO_AWAY = Rest(NOON - MINUTE, NOON + MINUTE, 1, "535", "smtp")
FULL = HeldBack("account", NOON - MINUTE, NOON - SECOND, 3, NOON + SECOND)
LONG_AGO = HeldBack("account", NOON - 9 * MINUTE, NOON - 5 * MINUTE, 3)


def mail(rests: Sequence[Rest] = (), held: Sequence[HeldBack] = (), *providers: str) -> Condition:
    return Condition("email", NOON, tuple(rests), tuple(held), providers)


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        ([], ChannelState.UNATTENDED),
        ([Condition("sms", NOON)], ChannelState.UNATTENDED),
        ([mail()], ChannelState.SENDING),
        ([mail([REFUSED])], ChannelState.RESTING),
        ([mail([TRIED])], ChannelState.PROBING),
        ([mail([TRIED]), mail([REFUSED]), mail()], ChannelState.RESTING),
        ([mail([AWAY], (), "sendgrid", "smtp")], ChannelState.FAILOVER),
        ([mail([ALSO_AWAY], (), "sendgrid", "smtp")], ChannelState.SENDING),
        ([mail([AWAY, ALSO_AWAY, REFUSED], (), "sendgrid", "smtp")], ChannelState.RESTING),
        ([mail((), [FULL])], ChannelState.HELD_BACK),
        ([mail((), [LONG_AGO])], ChannelState.SENDING),
        ([mail([REFUSED], [FULL])], ChannelState.RESTING),
    ],
)
def test_the_state_of_a_channel(conditions: list[Condition], state: ChannelState) -> None:
    assert standing("email", conditions, NOON).state is state


def test_what_several_senders_say_is_taken_together() -> None:
    later = Rest(NOON, NOON + 2 * MINUTE, 1, "answered 403")
    more = HeldBack("account", NOON - 2 * MINUTE, NOON, 4, 0)
    found = standing("email", [mail([REFUSED], [FULL]), mail([later], [more])], NOON)
    assert found.senders == 2
    assert found.rests == [Rest(NOON - MINUTE, NOON + 2 * MINUTE, 2, "answered 403")]
    assert found.held_back == [HeldBack("account", NOON - 2 * MINUTE, NOON, 7, NOON + SECOND)]


def test_it_is_said_in_words_and_to_strangers_without_those_of_the_provider() -> None:
    found = standing("email", [mail([AWAY], [FULL], "sendgrid", "smtp")], NOON)
    assert sentence(found) == (
        "email is sent by another provider, smtp;"
        " sendgrid rests since 2026-03-01T11:59:00Z, once, to be tried at 2026-03-01T12:01:00Z: answered 401;"
        " the limit of the account holds messages back since 2026-03-01T11:59:00Z, until 2026-03-01T12:00:01Z"
    )
    assert note(found) == "email is sent by another provider until 2026-03-01T12:01:00Z"


# --- as senders find out ---


async def test_a_channel_that_refuses_us_is_seen_to_rest_to_be_tried_and_to_be_well(tmp_path: Path) -> None:
    made = Pipeline(tmp_path)
    for number in range(2):
        made.subscribe(f"p{number}@example.com")
    made.channel.script(*[Rejected(Scope.CHANNEL, "the password is wrong")] * 2)
    made.publish()
    await made.deliver()
    [condition] = made.watch.all()
    assert condition.rests == (Rest(NOON, NOON + MINUTE, 1, "the password is wrong"),)
    [row] = ChannelReport({"email": "Email"}, made.watch, made.backend.queue, lambda: made.now).list()
    assert (row.state, row.senders, row.waiting_since) == ("resting", 1, NOON)
    assert "the password is wrong" in row.summary
    assert notes_of(["email"], made.watch, lambda: made.now) == ["email rests until 2026-03-01T12:01:00Z"]
    made.now += MINUTE
    assert standing("email", made.watch.all(), made.now).state is ChannelState.PROBING
    breaker = made.sender().breaker
    breaker.refused(made.now, made.now + MINUTE, "again")
    assert made.watch.all()[0].rests == (Rest(made.now, made.now + MINUTE, 1, "again"),)
    breaker.accepted()
    assert made.watch.all()[0].rests == ()
    assert notes_of(["email"], made.watch, lambda: made.now) == []
    made.close()


async def test_what_a_limit_holds_back_is_seen_for_a_while(tmp_path: Path) -> None:
    made = Pipeline(tmp_path, limits=Limits(account="1/h"))
    for number in range(3):
        made.subscribe(f"p{number}@example.com")
    made.publish()
    await made.deliver_some(1)
    assert made.limiter.take(1) == 0
    [held] = made.watch.all()[0].held_back
    assert (held.limit, held.since) == ("account", NOON)
    assert 59 * MINUTE < held.until - NOON <= 60 * MINUTE
    assert standing("email", made.watch.all(), made.now).state is ChannelState.HELD_BACK
    made.close()


async def test_a_limit_of_destinations_names_no_time_for_all(tmp_path: Path) -> None:
    made = Pipeline(tmp_path, limits=Limits(destination="1/h"))
    made.subscribe("ann@example.com")
    for number in range(2):
        made.publish(subject=f"incident {number}")
    await made.deliver()
    [held] = made.watch.all()[0].held_back
    assert (held.limit, held.times, held.until) == ("destination", 1, 0)
    made.now += LATELY + 1
    assert standing("email", made.watch.all(), made.now).state is ChannelState.SENDING
    made.watch.holds("email")("destination")
    [anew] = made.watch.all()[0].held_back
    assert (anew.since, anew.times) == (made.now, 1), "what held long ago is another matter"
    made.close()


async def test_a_provider_that_names_a_time_for_all_is_seen_to_hold(tmp_path: Path) -> None:
    made = Pipeline(tmp_path, ScriptedChannel(waits_together=True))
    made.subscribe("ann@example.com")
    made.channel.script(Retry("answered 429", timedelta(hours=1)))
    made.publish()
    await made.deliver()
    assert made.limiter.take(1) == 0
    assert [held.limit for held in made.watch.all()[0].held_back] == ["provider"]
    made.close()


# --- in a fleet ---


def test_what_the_senders_of_a_fleet_say_is_heard_by_all_while_they_live() -> None:
    now = [0.0]
    bulletins = FleetBulletins(lambda: now[0])

    class Says:
        def __init__(self, *said: Condition) -> None:
            self.said = said

        def all(self) -> Sequence[Condition]:
            return self.said

    resting = mail([REFUSED, AWAY], [FULL], "sendgrid", "smtp")
    one, other = Crier(bulletins, Says(resting)), Crier(bulletins, Says(mail()))
    one.cry()
    other.cry()
    heard = FleetConditions(bulletins).all()
    assert sorted(heard, key=lambda each: len(each.rests)) == [mail(), resting]
    other.leave()
    assert FleetConditions(bulletins).all() == [resting]
    now[0] += LASTS.total_seconds() + 1
    assert FleetConditions(bulletins).all() == []
