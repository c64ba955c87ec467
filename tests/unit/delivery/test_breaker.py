"""A channel that refuses us altogether, or is switched off: it rests longer and longer, and nothing waits for ever."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.delivery.breaker import FIRST_PAUSE, LONGEST_PAUSE, Breaker, pause
from consumers.delivery.outcome import InDoubt, Rejected, Scope
from consumers.delivery.sender import Sender
from consumers.delivery.switched_off import REASON, SwitchedOff
from consumers.delivery.verdicts import micros
from tests.unit.delivery.pipeline import MINUTE, Pipeline, ScriptedChannel

DAY = 24 * 60 * MINUTE
REFUSED = Rejected(Scope.CHANNEL, "535 wrong password")


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Pipeline]:
    made = Pipeline(tmp_path, ScriptedChannel(claim=1))
    for name in ("ann", "ben", "eve"):
        made.subscribe(f"{name}@example.com")
    yield made
    made.close()


def test_the_rest_doubles_from_a_minute_to_half_an_hour() -> None:
    minutes = [pause(refusals) / timedelta(minutes=1) for refusals in range(1, 8)]
    assert minutes == [1, 2, 4, 8, 16, 30, 30]
    assert pause(10_000) == LONGEST_PAUSE


def test_what_was_in_hand_together_counts_as_one_refusal_and_a_success_forgets_them() -> None:
    breaker = Breaker()
    for _ in range(5):
        breaker.refused(0, 100, "no")
    assert (breaker.refusals, breaker.is_open(99), breaker.is_open(100)) == (1, True, False)
    breaker.refused(100, 300, "no")
    assert breaker.refusals == 2
    breaker.accepted()
    assert (breaker.refusals, breaker.is_open(101)) == (0, False)


def test_after_a_rest_one_is_tried_until_that_has_ended_well() -> None:
    breaker = Breaker()
    assert breaker.admits(0, 5, 3) == 5
    breaker.refused(0, 100, "no")
    assert [breaker.admits(99, 5, 0), breaker.admits(100, 5, 0), breaker.admits(100, 5, 1), breaker.admits(100, 0, 0)] == [
        0, 1, 0, 0,
    ]  # fmt: skip
    breaker.accepted()
    assert breaker.admits(100, 5, 1) == 5


async def _rest(made: Pipeline, sender: Sender, running: "asyncio.Task[None]") -> None:
    """Let the sender do all there is to do now."""
    sender.wake()
    await asyncio.wait([running], timeout=0.01)
    while made.is_busy(sender):
        await asyncio.wait([running], timeout=0.002)


async def test_a_channel_that_goes_on_refusing_is_asked_ever_less_often(mail: Pipeline) -> None:
    mail.channel.answer = lambda _: REFUSED
    mail.publish()
    sender = mail.sender()
    running = asyncio.create_task(sender.run())
    asked_at: list[int] = []
    began = mail.now
    for _ in range(40):
        before = len(mail.channel.attempts)
        await _rest(mail, sender, running)
        asked_at += [(mail.now - began) // MINUTE] * (len(mail.channel.attempts) - before)
        mail.now += MINUTE
    sender.stop()
    await running
    assert asked_at == [0, 1, 3, 7, 15, 31]
    assert {state for _, state in mail.states()} == {"planned"}


async def test_a_channel_that_has_rested_is_tried_with_one_message(tmp_path: Path) -> None:
    mail = Pipeline(tmp_path, ScriptedChannel(claim=64))
    for number in range(6):
        mail.subscribe(f"p{number}@example.com")
    mail.channel.answer = lambda _: REFUSED
    mail.publish()
    await mail.deliver()
    assert len(mail.channel.attempts) == 6, "all were in hand before the first was refused"
    sender = mail.sender()
    sender._breaker.refused(mail.now, mail.now + MINUTE, "535 wrong password")
    running = asyncio.create_task(sender.run())
    mail.now += MINUTE
    await _rest(mail, sender, running)
    assert len(mail.channel.attempts) == 7
    mail.channel.script()
    mail.now += 2 * MINUTE
    await _rest(mail, sender, running)
    sender.stop()
    await running
    assert {state for _, state in mail.states()} == {"sent"}
    mail.close()


async def test_and_after_a_day_what_waited_in_vain_has_failed(mail: Pipeline) -> None:
    """Also what was never tried, because the channel rested."""
    mail.channel.answer = lambda _: REFUSED
    mail.publish()
    sender = mail.sender()
    running = asyncio.create_task(sender.run())
    await _rest(mail, sender, running)
    mail.now += DAY + micros(FIRST_PAUSE)
    while {state for _, state in mail.states()} != {"failed"}:
        await _rest(mail, sender, running)
    sender.stop()
    await running
    assert len(mail.channel.attempts) == 2
    assert sorted(entry.reason for entry in mail.entries()) == [
        "given up after 1 attempt: 535 wrong password",
        "given up, the channel is refused: 535 wrong password",
        "given up, the channel is refused: 535 wrong password",
    ]


async def test_what_waits_for_a_channel_that_is_switched_off_ends_with_that_reason(mail: Pipeline) -> None:
    mail.publish()
    sender = mail.sender()
    sender._dispatch = SwitchedOff()
    running = asyncio.create_task(sender.run())
    await _rest(mail, sender, running)
    sender.stop()
    await running
    assert {(entry.state, entry.reason) for entry in mail.entries()} == {("suppressed", REASON)}
    assert not mail.channel.attempts


async def test_a_doubt_is_not_ended_by_switching_the_channel_off(tmp_path: Path) -> None:
    made = Pipeline(tmp_path, ScriptedChannel("webhook", idempotent=True))
    made.subscribe("http://hook.example")
    made.channel.script(InDoubt("silence"))
    made.publish()
    await made.deliver()
    made.now += MINUTE
    sender = made.sender()
    sender._dispatch = SwitchedOff()
    running = asyncio.create_task(sender.run())
    await _rest(made, sender, running)
    sender.stop()
    await running
    [entry] = made.entries()
    assert (entry.state, entry.reason) == ("in_doubt", REASON)
    assert not made.backend.queue.next("webhook", made.now + DAY, 10)
    made.close()
