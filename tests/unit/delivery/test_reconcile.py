"""What is in doubt, on a channel whose provider can be asked: when it is, what each answer leads to, and that nothing is sent blindly."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery import backoff
from consumers.delivery.doubts import Doubts
from consumers.delivery.outcome import Finding, InDoubt, Outcome, Rejected, Retry, Scope, Sent, Unknown
from consumers.delivery.rates import Limits
from consumers.delivery.subscribers import SUPPRESSED
from consumers.delivery.verdicts import micros, still_unknown
from schemas.events import NotificationsRedriven, Pace, PaceChosen
from tests.unit.delivery.fleet import Fleet
from tests.unit.delivery.pipeline import (
    MINUTE,
    NOON,
    OPENING,
    PAGE,
    RESOLVED,
    SECOND,
    Crash,
    Pipeline,
    ScriptedChannel,
    pipeline,
)

ASKED_AFTER = timedelta(minutes=1)
NEWER = Sent("SM2")
SILENCE, ABSENT = InDoubt("silence"), Retry("it does not have it")
DAY = 24 * 60 * MINUTE


def asking(*, idempotent: bool = False, claim: int = 8) -> ScriptedChannel:
    return ScriptedChannel("sms", idempotent=idempotent, claim=claim, asked_after=ASKED_AFTER)


@pytest.fixture
def texts(tmp_path: Path) -> Iterator[Pipeline]:
    made = Pipeline(tmp_path, asking())
    made.subscribe("+15005550006")
    yield made
    made.close()


async def in_doubt(made: Pipeline, finding: Finding) -> None:
    """Publish, be in doubt of it, and ask once it may be asked."""
    made.channel.script(SILENCE)
    made.channel.knows = lambda _: finding
    made.publish()
    await made.deliver()
    assert [state for _, state in made.states()] == ["in_doubt"]
    made.now += MINUTE
    await made.deliver()


async def test_it_is_asked_only_when_the_provider_surely_tells_what_it_has(texts: Pipeline) -> None:
    texts.channel.script(SILENCE)
    texts.publish()
    await texts.deliver()
    texts.now += MINUTE - SECOND
    await texts.deliver()
    assert texts.channel.asked == []
    texts.now += SECOND
    await texts.deliver()
    assert len(texts.channel.asked) == 1


async def test_what_the_provider_has_is_sent_with_its_receipt_and_not_again(texts: Pipeline) -> None:
    await in_doubt(texts, Sent("SM1"))
    texts.now += DAY
    await texts.deliver()
    assert [(entry.state, entry.reason) for entry in texts.entries()] == [("sent", "SM1")]
    assert (len(texts.channel.attempts), len(texts.channel.asked)) == (1, 1)


async def test_what_it_certainly_has_not_is_sent_again_and_is_no_doubt_any_more(texts: Pipeline) -> None:
    await in_doubt(texts, ABSENT)
    assert [(entry.state, entry.reason) for entry in texts.entries()] == [("planned", ABSENT.reason)]
    texts.now += MINUTE
    await texts.deliver()
    assert [state for _, state in texts.states()] == ["sent"]
    assert [message.in_doubt for message in texts.channel.attempts] == [False, False]
    assert len(texts.channel.asked) == 1


async def test_what_it_could_not_deliver_has_failed_and_its_address_may_be_condemned(texts: Pipeline) -> None:
    await in_doubt(texts, Rejected(Scope.RECIPIENT, "STOP"))
    texts.backend.settle()
    [(_, state)] = texts.states()
    [entry] = texts.entries()
    known = texts.backend.subscribers.subscriber(PAGE, entry.subscriber)
    assert (state, known is not None and known.state) == ("failed", SUPPRESSED)


async def test_while_nobody_knows_nothing_is_sent_and_the_asking_ends_after_a_day(texts: Pipeline) -> None:
    await in_doubt(texts, Unknown("answered 503"))
    while texts.now < NOON + 2 * DAY:
        texts.now += 20 * MINUTE
        await texts.deliver()
    [entry] = texts.entries()
    assert (entry.state, entry.reason) == ("in_doubt", "silence; asked: answered 503")
    assert len(texts.channel.attempts) == 1
    assert 20 < len(texts.channel.asked) < 40
    [due] = texts.backend.log.query("select due from ledger")[0]
    assert due is None


async def test_a_final_answer_ends_the_asking(texts: Pipeline) -> None:
    await in_doubt(texts, Unknown("not in this plan", final=True))
    texts.now += DAY
    await texts.deliver()
    assert ([state for _, state in texts.states()], len(texts.channel.asked)) == (["in_doubt"], 1)


async def test_a_channel_that_fails_to_ask_learns_nothing(texts: Pipeline) -> None:
    def fail(_: object) -> Finding:
        raise OSError

    texts.channel.script(SILENCE)
    texts.channel.knows = fail
    texts.publish()
    await texts.deliver()
    texts.now += MINUTE
    await texts.deliver()
    [entry] = texts.entries()
    assert (entry.state, entry.reason) == ("in_doubt", "silence; asked: the channel failed: OSError")


async def test_what_may_be_sent_again_is_sent_again_and_nobody_is_asked() -> None:
    with pipeline(asking(idempotent=True)) as made:
        made.subscribe("+15005550006")
        await in_doubt(made, Unknown("why was I asked?"))
        assert ([state for _, state in made.states()], made.channel.asked) == (["sent"], [])


async def test_a_limit_of_messages_is_none_of_questions(tmp_path: Path) -> None:
    made = Pipeline(tmp_path, asking(), limits=Limits(destination="1/24h"))
    try:
        made.subscribe("+15005550006")
        await in_doubt(made, Sent("SM1"))
        assert [state for _, state in made.states()] == ["sent"]
    finally:
        made.close()


@pytest.mark.parametrize(("pace", "perhaps"), [(Pace(), False), (Pace(minimum_gap=600), True)])
async def test_the_provider_is_told_whether_it_may_have_gone_out_with_others(
    tmp_path: Path, pace: Pace, perhaps: bool
) -> None:
    channel = asking()
    made = Pipeline(tmp_path, channel)
    try:
        made.append(PaceChosen(made.subscribe("+15005550006"), pace))
        await in_doubt(made, Sent("SM1"))
        assert [message.combinable for message in (*channel.attempts, *channel.asked)] == [False, perhaps]
    finally:
        made.close()


# --- behind a newer update ---


async def overtaken_doubt(made: Pipeline, finding: Finding, newer: Outcome = NEWER) -> None:
    """Be in doubt of an update, and have a newer one end as ``newer``; then let the time come at which it is asked about."""
    made.channel.script(SILENCE, newer)
    made.channel.knows = lambda message: finding if message.notice.status == OPENING else Unknown("not this one")
    made.publish()
    await made.deliver()
    made.publish(RESOLVED)
    await made.deliver()
    assert (len(made.channel.attempts), made.channel.asked) == (2, []), "the newer one waits for no answer"
    made.now += 2 * MINUTE
    await made.deliver()


async def test_a_doubt_behind_a_newer_update_is_asked_about_too(texts: Pipeline) -> None:
    await overtaken_doubt(texts, Sent("SM1"))
    assert [(entry.state, entry.reason) for entry in texts.entries()] == [("sent", "SM1"), ("sent", "SM2")]
    [asked] = texts.channel.asked
    assert (asked.others, asked.in_doubt) == (("SM2",), True)
    texts.now += DAY
    await texts.deliver()
    assert (len(texts.channel.asked), len(texts.channel.attempts)) == (1, 2)


async def test_what_certainly_never_left_behind_a_newer_update_is_superseded_and_not_sent(texts: Pipeline) -> None:
    await overtaken_doubt(texts, ABSENT)
    assert [state for _, state in texts.states()] == ["superseded", "sent"]
    assert len(texts.channel.attempts) == 2


async def test_what_could_not_be_delivered_behind_a_newer_update_has_failed(texts: Pipeline) -> None:
    await overtaken_doubt(texts, Rejected(Scope.MESSAGE, "filtered"))
    assert (texts.entries()[0].state, texts.entries()[0].reason) == ("failed", "filtered")


async def test_behind_a_newer_update_it_is_asked_for_a_day_too_and_then_held(texts: Pipeline) -> None:
    await overtaken_doubt(texts, Unknown("answered 503"))
    assert [entry.reason for entry in texts.entries()] == ["silence; asked: answered 503", "SM2"]
    while texts.now < NOON + 2 * DAY:
        texts.now += 20 * MINUTE
        await texts.deliver()
    assert 20 < len(texts.channel.asked) < 40
    assert [entry.state for entry in texts.entries()] == ["in_doubt", "sent"]
    assert texts.backend.queue.overtaken("sms", 10) == []
    assert len(texts.channel.attempts) == 2


@pytest.mark.parametrize("newer", [SILENCE, Sent(), Rejected(Scope.MESSAGE, "30003")])
async def test_while_it_is_not_certain_what_the_provider_has_of_the_newer_one_nothing_is_asked(
    texts: Pipeline, newer: Outcome
) -> None:
    """A provider that is asked by the words would show the newer one, if it says the same."""
    await overtaken_doubt(texts, Sent("SM2"), newer)
    assert all(message.notice.status == RESOLVED for message in texts.channel.asked)
    assert texts.entries()[0].state == "in_doubt"
    texts.now += DAY
    await texts.deliver()
    assert texts.entries()[0].reason == "silence; not asked again, a newer update follows"


async def test_behind_a_newer_one_that_turned_out_to_be_sent_the_older_is_asked_about(texts: Pipeline) -> None:
    await overtaken_doubt(texts, Sent("SM1"), SILENCE)
    texts.channel.knows = lambda message: Sent("SM1" if message.notice.status == OPENING else "SM2")
    for _ in range(4):
        texts.now += 5 * MINUTE
        await texts.deliver()
    assert [(entry.state, entry.reason) for entry in texts.entries()] == [("sent", "SM1"), ("sent", "SM2")]
    assert texts.channel.asked[-1].others == ("SM2",)


async def test_an_operators_wish_that_was_overtaken_is_not_asked_about(texts: Pipeline) -> None:
    await in_doubt(texts, Unknown("not in this plan", final=True))
    [entry] = texts.entries()
    texts.append(NotificationsRedriven(entry.shard, [entry.notification], even_in_doubt=True))
    texts.publish(RESOLVED)
    asked = len(texts.channel.asked)
    texts.now += 2 * MINUTE
    await texts.deliver()
    assert len(texts.channel.asked) == asked
    assert texts.entries()[0].reason.endswith("not asked again, a newer update follows")


async def test_a_channel_whose_provider_cannot_be_asked_leaves_it_in_doubt_at_once(tmp_path: Path) -> None:
    made = Pipeline(tmp_path, ScriptedChannel("webhook", idempotent=True))
    made.subscribe("https://a.example")
    made.channel.script(SILENCE)
    made.publish()
    await made.deliver()
    made.publish(RESOLVED)
    await made.deliver()
    assert [entry.state for entry in made.entries()] == ["in_doubt", "sent"]
    assert made.entries()[0].reason == "silence; not asked again, a newer update follows"
    made.close()


async def test_nobody_is_asked_while_the_channel_rests(texts: Pipeline) -> None:
    texts.channel.script(SILENCE, NEWER)
    texts.publish()
    await texts.deliver()
    texts.publish(RESOLVED)
    await texts.deliver()
    texts.now += 2 * MINUTE
    overtaken = texts.backend.queue.overtaken("sms", 10)
    doubts = Doubts(texts.channel.capabilities, texts.backend.queue)
    assert doubts.sort(overtaken, texts.now, may_ask=False) == ([], [])
    [[entry]] = doubts.sort(overtaken, texts.now).asked
    assert entry == overtaken[0].entry
    assert doubts.sort(overtaken, texts.now) == ([], []), (
        "it is asked about once until the ledger knows what came of it"
    )


@pytest.mark.parametrize("place", ["claimed", "before_send", "sent", "before_record"])
@pytest.mark.parametrize("accepted", [True, False])
async def test_a_death_between_claim_and_record_is_reconciled(texts: Pipeline, place: str, accepted: bool) -> None:
    def has(_: object) -> Finding:
        return Sent("SM1") if texts.channel.attempts and accepted else ABSENT

    def die(name: str) -> None:
        if name == place:
            raise Crash

    texts.channel.knows = has
    texts.publish()
    with pytest.raises(Crash):
        await texts.deliver(die)
    left = len(texts.channel.attempts)
    texts.restart()
    await texts.deliver()
    assert [state for _, state in texts.states()] == ["in_doubt"]
    for _ in range(3):
        texts.now += MINUTE
        await texts.deliver()
    assert [state for _, state in texts.states()] == ["sent"]
    assert len(texts.channel.attempts) == (left if left and accepted else left + 1)


async def test_a_death_while_asking_asks_again(texts: Pipeline) -> None:
    texts.channel.script(SILENCE)
    texts.channel.knows = lambda _: Sent("SM1")
    texts.publish()
    await texts.deliver()
    texts.now += MINUTE

    def die(name: str) -> None:
        if name == "before_record":
            raise Crash

    with pytest.raises(Crash):
        await texts.deliver(die)
    texts.restart()
    await texts.deliver()
    texts.now += MINUTE
    await texts.deliver()
    assert ([state for _, state in texts.states()], len(texts.channel.attempts)) == (["sent"], 1)


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_fleet_reconciles_what_the_dead_had_in_hand(accepted: bool) -> None:
    fleet = Fleet(asking(claim=24))
    fleet.subscribe(3)
    fleet.channel.knows = lambda _: Sent("SM1") if accepted else ABSENT

    async def hang(_: object) -> None:
        await asyncio.Event().wait()

    fleet.channel.before = hang
    first = await fleet.worker()
    fleet.tell()
    await fleet.until(lambda: len(fleet.channel.attempts) == 3)
    await first.die()
    fleet.channel.before = None
    second = await fleet.worker()
    await fleet.passes(60, second)
    assert fleet.states() == {"in_doubt"}
    assert fleet.channel.asked == []
    await fleet.passes(120, second)
    assert fleet.states() == {"sent"}
    assert (len(fleet.channel.asked), len(fleet.channel.attempts)) == (3, 3 if accepted else 6)
    await fleet.end()


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_fleet_asks_about_a_doubt_behind_a_newer_update_too(accepted: bool) -> None:
    fleet = Fleet(asking(claim=24))
    fleet.subscribe(3)
    fleet.channel.knows = lambda _: Sent("SM1") if accepted else ABSENT
    fleet.channel.script(*[SILENCE] * 3, *[NEWER] * 3)
    first = await fleet.worker()
    fleet.tell()
    await fleet.until(lambda: fleet.states() == {"in_doubt"})
    fleet.tell()
    await fleet.until(lambda: fleet.states() == {"in_doubt", "sent"})
    assert (len(fleet.channel.attempts), fleet.channel.asked) == (6, [])
    await fleet.passes(120, first)
    assert fleet.states() == ({"sent"} if accepted else {"superseded", "sent"})
    assert (len(fleet.channel.asked), len(fleet.channel.attempts)) == (3, 6)
    await fleet.end()


# --- the waits ---


@given(
    age=st.timedeltas(timedelta(0), timedelta(days=3)),
    least=st.timedeltas(timedelta(seconds=1), timedelta(hours=2)),
    seed=st.integers(),
)
def test_the_wait_grows_with_the_age_and_never_undercuts_the_least(age: timedelta, least: timedelta, seed: int) -> None:
    wait = backoff.asking(age, least, Random(seed))
    assert least <= wait <= max(least, min(age / 2, backoff.MOST)) * 1.2 + timedelta(microseconds=1)


def test_a_wait_that_the_provider_names_is_kept() -> None:
    unknown = Unknown("answered 429", timedelta(hours=3))
    found = still_unknown(unknown, "silence", asked_after=ASKED_AFTER, planned_at=NOON, now=NOON, random=Random(1))
    assert found.retry_at is not None
    assert found.retry_at >= NOON + micros(timedelta(hours=3))
