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
from consumers.delivery.outcome import Finding, InDoubt, Rejected, Retry, Scope, Sent, Unknown
from consumers.delivery.rates import Limits
from consumers.delivery.subscribers import SUPPRESSED
from consumers.delivery.verdicts import micros, still_unknown
from schemas.events import Pace, PaceChosen
from tests.unit.delivery.fleet import Fleet
from tests.unit.delivery.pipeline import MINUTE, NOON, OPENING, PAGE, SECOND, Crash, Pipeline, ScriptedChannel, pipeline

ASKED_AFTER = timedelta(minutes=1)
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


async def test_a_newer_update_goes_instead_of_asking(texts: Pipeline) -> None:
    texts.channel.script(SILENCE)
    texts.publish()
    await texts.deliver()
    texts.publish(OPENING)
    texts.now += MINUTE
    await texts.deliver()
    assert [state for _, state in texts.states()] == ["in_doubt", "sent"]


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
