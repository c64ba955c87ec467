"""Several senders of one channel: they part the work, inherit from the dead, and nothing is doubled but what is listed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from functools import partial
from math import inf

import pytest

from consumers.delivery import sender
from consumers.delivery.channel import Message
from consumers.delivery.leases import LEASE, Membership
from consumers.delivery.outcome import InDoubt
from consumers.delivery.queue import Entry, Holding
from consumers.delivery.switched_off import REASON, SwitchedOff
from consumers.delivery.verdicts import Conclusion
from schemas.events import AnyEvent, DeliveriesRecorded, Pace, QuietHours
from schemas.vocabulary import Impact, IncidentStatus, Kind, NotificationState
from streams.log.port import Appended
from tests.unit.delivery.fleet import Fleet, Worker, quiet
from tests.unit.delivery.pipeline import SECOND, ScriptedChannel

LONG = 3 * round(LEASE.total_seconds())
"""Seconds after which whoever was not heard of is certainly given up."""


@pytest.fixture
async def mail() -> AsyncIterator[Fleet]:
    made = Fleet(ScriptedChannel("email", claim=32))  # a sender that knows nothing of its provider takes an eighth
    yield made
    await made.end()


@pytest.fixture
async def hooks() -> AsyncIterator[Fleet]:
    made = Fleet(ScriptedChannel("webhook", idempotent=True, claim=32))
    yield made
    await made.end()


async def test_senders_part_the_work_and_each_is_told_once(mail: Fleet) -> None:
    mail.subscribe(60)
    workers = [await mail.worker() for _ in range(3)]
    for worker in workers:
        worker.membership.renew()
    shares = {worker.membership.share for worker in workers}
    assert {(share.index, share.count) for share in shares} == {(0, 3), (1, 3), (2, 3)}
    mail.tell()
    await mail.until(mail.ended)
    assert Counter(mail.attempts()) == Counter(item.notification for item in mail.items())
    assert mail.states() == {"sent"}
    assert {item.worker for item in mail.items()} == {worker.membership.worker for worker in workers}


async def test_senders_that_know_nothing_of_each_other_race_and_the_ledger_decides(mail: Fleet) -> None:
    mail.subscribe(40)
    for _ in range(3):
        await mail.worker()
        mail.leases.forget()
    mail.tell()
    mail.tell(IncidentStatus.IDENTIFIED)
    await mail.until(mail.ended)
    assert max(Counter(mail.attempts()).values()) == 1
    assert mail.states() == {"sent", "superseded"}


async def test_the_subscribers_of_a_claim_are_looked_up_together(mail: Fleet) -> None:
    await mail.worker()
    mail.subscribe(4)
    mail.tell()
    await mail.until(mail.ended)
    assert mail.states() == {"sent"}
    assert mail.asked_alone == 0


async def test_what_comes_while_a_claim_is_on_its_way_is_claimed_meanwhile(mail: Fleet) -> None:
    await mail.worker()
    mail.knowing.hears = False
    mail.subscribe(1)
    mail.tell(subject="outage")
    await mail.until(lambda: len(mail.claims()) == 1)
    mail.subscribe(1)
    mail.tell(subject="another")
    await mail.until(lambda: len(mail.claims()) >= 2)
    await quiet()
    assert mail.attempts() == [], "nothing leaves before the ledger is known to know"
    mail.knowing.hears = True
    await mail.until(mail.ended)
    assert mail.states() == {"sent"}
    assert set(Counter(mail.attempts()).values()) == {1}


def _has_more_claims(fleet: Fleet, known: int) -> bool:
    return len(fleet.claims()) > known


async def _two_claims_on_their_way(fleet: Fleet) -> None:
    """Have a sender claim for two subjects, and let it hear of neither claim's being folded."""
    fleet.knowing.hears = False
    fleet.subscribe(1)
    for subject in ("first", "second"):
        claims = len(fleet.claims())
        fleet.tell(subject=subject)
        await fleet.until(partial(_has_more_claims, fleet, claims))


async def test_no_more_claims_are_on_their_way_than_allowed(mail: Fleet) -> None:
    await mail.worker()
    await _two_claims_on_their_way(mail)
    claims = mail.claims()
    mail.tell(subject="third")
    mail.wake()
    await quiet()
    assert mail.claims() == claims
    mail.knowing.hears = True
    await mail.until(mail.ended)
    assert set(Counter(mail.attempts()).values()) == {1}


async def test_claims_that_end_while_a_sender_pauses_before_its_next_look_are_not_waited_for(
    mail: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What it misses it would otherwise find when it looks by itself, after seconds.
    monkeypatch.setattr(sender, "IDLE_SECONDS", inf)
    monkeypatch.setattr(Membership, "pause", inf)
    here = await mail.worker(pace=0.3)
    await _two_claims_on_their_way(mail)
    mail.tell(subject="third")
    for _ in range(2):  # it looks, and pauses before it looks again
        here.sender.wake()
        await asyncio.sleep(0.01)
    mail.knowing.hears = True  # both turns see that by themselves, and end within the pause
    for _ in range(500):
        if mail.ended():
            break
        await asyncio.sleep(0.01)
    assert len(mail.attempts()) == 3


async def test_what_a_dead_sender_held_is_listed_and_all_else_is_sent_by_the_others(mail: Fleet) -> None:
    mail.subscribe(20)
    dying = await mail.worker(paused=True)
    mail.tell()
    await mail.until(lambda: dying.attempts.waiting == 4)
    held = {item.notification for item in mail.items() if item.state is NotificationState.CLAIMED}
    await dying.die()
    heir = await mail.worker()
    await mail.passes(LONG, heir)
    await mail.until(mail.ended)
    assert len(held) == 4
    assert {item.notification for item in mail.items() if item.state is NotificationState.IN_DOUBT} == held
    assert not held & set(mail.attempts())
    assert len(set(mail.attempts())) == len(mail.attempts()) == 16


async def test_a_webhook_that_a_dead_sender_held_is_asked_again(hooks: Fleet) -> None:
    hooks.subscribe(4)
    dying = await hooks.worker(paused=True)
    hooks.tell()
    await hooks.until(lambda: dying.attempts.waiting == 4)
    await dying.die()
    heir = await hooks.worker()
    await hooks.passes(LONG, heir)
    await hooks.until(hooks.ended)
    assert hooks.states() == {"sent"}
    assert set(Counter(hooks.attempts()).values()) == {1}
    assert {item.worker for item in hooks.items()} == {heir.membership.worker}


async def test_a_claim_that_was_not_answered_is_given_back(hooks: Fleet) -> None:
    hooks.subscribe(1)
    here = await hooks.worker()
    hooks.unanswered = 1
    hooks.tell()
    await _until_ended(hooks, here)
    assert [one.state.value for one in hooks.results()] == ["planned", "sent"]
    assert not hooks.unanswered


async def test_a_claim_that_was_not_answered_ends_no_doubt(hooks: Fleet) -> None:
    hooks.subscribe(1)
    hooks.channel.script(InDoubt("silence"))
    here = await hooks.worker()
    hooks.tell()
    await hooks.until(lambda: hooks.states() == {"in_doubt"})
    hooks.unanswered = 1
    await _until_ended(hooks, here)
    assert [one.state.value for one in hooks.results()] == ["in_doubt", "in_doubt", "sent"]
    assert not hooks.unanswered


async def test_a_claim_that_is_known_before_its_plan_is_given_back_and_sent_later(hooks: Fleet) -> None:
    """A store that was emptied is folded anew, deliveries ahead of plans, while a sender asks what it holds."""
    hooks.subscribe(1)
    here = await hooks.worker()
    hooks.knowing.hears = False
    hooks.tell()
    await hooks.until(lambda: len(hooks.claims()) == 1)
    hooks.lose_store()
    hooks.knowing.hears = True
    await hooks.until(lambda: bool(hooks.results()))
    await _until_ended(hooks, here)
    assert [one.state.value for one in hooks.results()] == ["planned", "sent"]


async def test_what_was_claimed_when_a_sender_failed_is_given_back_and_sent_by_its_next_run(
    hooks: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks.subscribe(3)
    here = await hooks.worker(kept_running=True)
    held_by = hooks.queue.held_by
    faults = [RuntimeError("a fault of ours")]

    def failing(worker: str, entries: Sequence[Entry]) -> Holding:
        if faults:
            raise faults.pop()
        return held_by(worker, entries)

    monkeypatch.setattr(hooks.queue, "held_by", failing)
    hooks.tell()
    await _until_ended(hooks, here)
    assert not faults
    assert hooks.states() == {"sent"}
    assert set(Counter(hooks.attempts()).values()) == {1}


async def test_what_ended_when_a_sender_failed_is_recorded_by_its_next_run(
    mail: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail.subscribe(3)
    here = await mail.worker(kept_running=True)
    publish = mail.publish
    faults = [RuntimeError("a fault of ours")]

    async def failing(events: Sequence[AnyEvent]) -> list[Appended]:
        if faults and any(isinstance(event.data, DeliveriesRecorded) for event in events):
            raise faults.pop()
        return await publish(events)

    monkeypatch.setattr(mail, "publish", failing)
    mail.tell()
    await _until_ended(mail, here)
    assert not faults
    assert mail.states() == {"sent"}
    assert len(mail.attempts()) == 3


async def test_an_attempt_that_fails_halfway_is_listed_as_a_doubt(mail: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    mail.subscribe(2)
    here = await mail.worker()

    async def failing(*_: object) -> list[Conclusion]:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(here.attempts, "send_all", failing)
    mail.tell()
    await mail.until(mail.ended)
    assert {(item.state.value, item.reason) for item in mail.items()} == {
        ("in_doubt", "it failed halfway: RuntimeError")
    }


async def _until_ended(fleet: Fleet, *alive: Worker) -> None:
    while not fleet.ended():
        await fleet.passes(5, *alive)
        await asyncio.sleep(0.01)


async def test_what_the_living_hold_is_left_to_them_however_long_it_takes(mail: Fleet) -> None:
    mail.subscribe(4)
    slow = await mail.worker(paused=True)
    mail.tell()
    await mail.until(lambda: slow.attempts.waiting == 4)
    other = await mail.worker()
    await mail.passes(LONG, slow, other)
    assert mail.states() == {"claimed"}
    slow.resume()
    await mail.until(mail.ended)
    assert mail.states() == {"sent"}
    assert not mail.doubted()


async def test_leases_that_were_all_forgotten_condemn_nobody_who_still_renews(mail: Fleet) -> None:
    mail.subscribe(4)
    slow = await mail.worker(paused=True)
    mail.tell()
    await mail.until(lambda: slow.attempts.waiting == 4)
    other = await mail.worker()
    mail.leases.forget()
    await mail.passes(12, other)
    await mail.passes(LONG, slow, other)
    assert not mail.doubted()
    slow.resume()
    await mail.until(mail.ended)
    assert mail.states() == {"sent"}


async def test_who_was_paused_for_longer_than_the_lease_sends_nothing_of_what_it_held(mail: Fleet) -> None:
    mail.subscribe(4)
    paused = await mail.worker(paused=True)
    mail.tell()
    await mail.until(lambda: paused.attempts.waiting == 4)
    heir = await mail.worker()
    await mail.passes(LONG, heir)
    assert mail.states() == {"in_doubt"}
    before = paused.membership.worker
    paused.resume()
    # Nothing had left, and now that is known: each is sent once, after all.
    await mail.until(lambda: mail.states() == {"sent"})
    assert set(Counter(mail.attempts()).values()) == {1}
    assert {item.worker for item in mail.items()} == {heir.membership.worker}
    assert paused.membership.renew()
    assert paused.membership.worker != before


async def test_a_stall_in_the_middle_of_a_request_may_double_and_is_listed(hooks: Fleet) -> None:
    hooks.subscribe(1)
    gate = asyncio.Event()

    async def stall(_: Message) -> None:
        if len(hooks.channel.attempts) == 1:
            await gate.wait()

    hooks.channel.before = stall
    await hooks.worker()
    hooks.tell()
    await hooks.until(lambda: len(hooks.channel.attempts) == 1)
    heir = await hooks.worker()
    await hooks.passes(LONG, heir)
    await hooks.until(lambda: len(hooks.channel.attempts) == 2)
    gate.set()
    await hooks.until(hooks.ended)
    await quiet()
    assert hooks.states() == {"sent"}
    assert set(hooks.attempts()) == hooks.doubted()


async def test_nothing_is_sent_before_the_ledger_knows_of_the_claim(mail: Fleet) -> None:
    mail.subscribe(3)
    mail.tell()
    mail.folds = False
    await mail.worker()
    await mail.passes(5, *mail.workers)
    assert not mail.attempts()
    mail.folds = True
    mail.fold()
    await mail.until(mail.ended)
    assert len(mail.attempts()) == 3


async def test_what_waits_for_one_who_is_gone_is_helped_along(mail: Fleet) -> None:
    mail.subscribe(30)
    gone, here = await mail.worker(), await mail.worker()
    here.membership.renew()
    await gone.die()
    assert here.membership.share.count == 2
    mail.tell()
    await mail.passes(10, here)
    await mail.until(mail.ended)
    assert mail.states() == {"sent"}
    assert not mail.doubted()


async def test_a_sender_that_stops_in_good_order_leaves_nothing_behind(mail: Fleet) -> None:
    mail.subscribe(8)
    stopping = await mail.worker()
    mail.tell()
    await mail.until(lambda: bool(mail.attempts()))
    await stopping.stop()
    assert "claimed" not in mail.states()
    heir = await mail.worker()
    assert heir.membership.share.count == 1
    await mail.until(mail.ended)
    assert mail.states() == {"sent"}
    assert len(mail.attempts()) == 8


async def test_a_channel_that_is_switched_off_ends_what_waits_for_it(mail: Fleet) -> None:
    mail.subscribe(6)
    mail.tell()
    worker = await mail.worker(paused=True)
    worker.sender._dispatch = SwitchedOff()
    await mail.until(mail.ended)
    assert {(item.state.value, item.reason) for item in mail.items()} == {("suppressed", REASON)}
    assert not mail.attempts()


async def test_what_is_to_wait_is_put_off_by_whoever_holds_it_and_is_no_attempt(mail: Fleet) -> None:
    an_hour = Pace(
        QuietHours(13 * 60, 13 * 60 + 30, "Europe/Berlin"), critical_gets_through=False
    )  # 12:00 to 12:30 UTC
    mail.subscribe(5, an_hour)
    mail.subscribe(5)
    for _ in range(2):
        await mail.worker()
    mail.tell()
    await mail.until(
        lambda: (
            [item.state for item in mail.items()].count(NotificationState.SENT) == 5
            and not any(item.turn is not None or item.state is NotificationState.CLAIMED for item in mail.items())
        )
    )
    held = [item for item in mail.items() if item.state is NotificationState.PLANNED]
    assert [(item.attempts, item.reason) for item in held] == [(0, "quiet hours until 13:30 Europe/Berlin")] * 5
    assert {item.due for item in held} == {mail.now + 1_800 * SECOND}
    mail.now += 1_800 * SECOND
    for worker in mail.workers:
        worker.membership.renew()
    await mail.until(mail.ended)
    assert (len(mail.attempts()), mail.states()) == (10, {"sent"})


async def test_what_waits_for_one_endpoint_goes_out_as_one_message_whoever_sends_it(mail: Fleet) -> None:
    mail.subscribe(5, Pace(minimum_gap=60))
    for _ in range(2):
        await mail.worker()
    for subject in ("one", "two", "three"):
        mail.tell(subject=subject, impact=Impact.MAJOR)
    await mail.until(
        lambda: (
            [item.state for item in mail.items()].count(NotificationState.SENT) == 5
            and not any(item.turn is not None or item.state is NotificationState.CLAIMED for item in mail.items())
        )
    )
    assert len(mail.attempts()) == 5
    mail.now += 60 * SECOND
    for worker in mail.workers:
        worker.membership.renew()
    await mail.until(mail.ended)
    assert mail.states() == {"sent"}
    together = [message for message in mail.channel.attempts if message.notice.kind is Kind.SUMMARY]
    assert (len(together), len(mail.attempts())) == (5, 10)
    assert {message.notice.title for message in together} == {"2 incidents"}
