"""Claim, send, record over a real log: what each outcome leaves behind, and what a newer update does to an older one."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.delivery.breaker import FIRST_PAUSE
from consumers.delivery.channel import Message
from consumers.delivery.dispatch import Policy
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent
from consumers.delivery.queue import WHOLE, Entry, Holding, Overtaken, Share
from consumers.delivery.stored_queue import StoredQueue
from consumers.delivery.subscribers import SUPPRESSED
from consumers.delivery.verdicts import MOST_ATTEMPTS_IN_DOUBT, micros
from schemas.events import EndpointSuppressed, SubscriberRemoved
from schemas.vocabulary import IncidentStatus
from streams.keys.sqlite import SqliteKeyStore
from streams.log.port import LogUnavailableError
from streams.runtime.failpoints import NAMES
from tests.unit.delivery.pipeline import (
    MINUTE,
    OPENING,
    PAGE,
    RESOLVED,
    SECOND,
    Crash,
    Pipeline,
    ScriptedChannel,
    pipeline,
)

BUSY, SILENCE = Retry("busy"), InDoubt("silence")
ANN = "ann@example.com"


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Pipeline]:
    made = Pipeline(tmp_path)
    yield made
    made.close()


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Pipeline]:
    made = Pipeline(tmp_path, ScriptedChannel("webhook", idempotent=True))
    yield made
    made.close()


async def test_each_subscriber_is_told_once(mail: Pipeline) -> None:
    for name in ("ann", "ben", "eve"):
        mail.subscribe(f"{name}@example.com")
    mail.publish()
    await mail.deliver()
    await mail.deliver()
    assert sorted(address for address, _ in mail.channel.told()) == [
        f"{name}@example.com" for name in ("ann", "ben", "eve")
    ]
    assert {state for _, state in mail.states()} == {"sent"}


async def test_what_is_in_hand_is_not_overtaken_though_a_ledger_that_is_folded_anew_says_so(
    mail: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail.subscribe(ANN)
    mail.publish()
    [entry] = mail.backend.queue.next("email", mail.now, 10)
    looked = asyncio.Event()

    def behind(queue: StoredQueue, channel: str, limit: int, share: Share = WHOLE) -> list[Overtaken]:
        if not mail.channel.attempts:
            return []
        looked.set()
        return [Overtaken(entry, "a newer one")] if len(mail.channel.attempts) == 1 else []

    async def while_it_is_sent(message: Message) -> None:
        if len(mail.channel.attempts) == 1:
            mail.publish(IncidentStatus.IDENTIFIED)
            await looked.wait()

    monkeypatch.setattr(StoredQueue, "overtaken", behind)
    mail.channel.before = while_it_is_sent
    await mail.deliver()
    assert [state for _, state in mail.states()] == ["sent", "sent"]


async def test_a_newer_update_supersedes_the_unsent_one_of_the_same_endpoint_only(mail: Pipeline) -> None:
    mail.subscribe(ANN)
    mail.channel.script(BUSY)
    mail.publish()
    await mail.deliver()
    mail.subscribe("late@example.com")
    mail.publish(IncidentStatus.IDENTIFIED)
    mail.publish(OPENING, subject="another incident")
    await mail.deliver()
    assert [state for name, state in mail.states() if name == ANN] == ["superseded", "sent", "sent"]
    assert [status for name, status in mail.channel.told() if name == "late@example.com"] == [
        "identified",
        "investigating",
    ]


@pytest.mark.parametrize("earlier", [BUSY, Rejected(Scope.MESSAGE, "refused")])
async def test_an_opening_that_never_left_and_is_over_makes_one_combined_note(mail: Pipeline, earlier: Outcome) -> None:
    mail.subscribe(ANN)
    mail.channel.script(earlier)
    mail.publish()
    await mail.deliver()
    mail.publish(RESOLVED)
    await mail.deliver()
    assert [(message.notice.status, message.over) for message in mail.channel.attempts] == [
        ("investigating", False),
        ("resolved", True),
    ]


async def test_or_none_where_the_page_wants_none(mail: Pipeline) -> None:
    mail.policy = Policy(combined_note=False)
    mail.subscribe(ANN)
    mail.channel.script(BUSY)
    mail.publish()
    await mail.deliver()
    mail.publish(RESOLVED)
    await mail.deliver()
    assert [entry.reason for entry in mail.entries()][1] == "it was over before it could be told"
    assert [state for _, state in mail.states()] == ["superseded", "suppressed"]


@pytest.mark.parametrize("opening", [Sent(), SILENCE])
@pytest.mark.parametrize("combined_note", [True, False])
async def test_the_all_clear_follows_an_opening_that_left_or_may_have(
    mail: Pipeline, opening: Outcome, combined_note: bool
) -> None:
    mail.policy = Policy(combined_note=combined_note)
    mail.subscribe(ANN)
    mail.channel.script(opening, BUSY)
    for status in (OPENING, IncidentStatus.IDENTIFIED, RESOLVED):
        mail.publish(status)
        await mail.deliver()
    assert [message.over for message in mail.channel.attempts] == [False, False, False]
    assert [state for _, state in mail.states()][1:] == ["superseded", "sent"]


async def test_a_provider_that_takes_many_at_once_gets_one_update_a_request() -> None:
    with pipeline(ScriptedChannel(batch=5, claim=100)) as mail:
        people = [f"p{number}@example.com" for number in range(12)]
        for address in people:
            mail.subscribe(address)
        mail.publish()
        mail.publish(subject="another incident")
        await mail.deliver()
        assert (max(mail.channel.requests), sum(mail.channel.requests)) == (5, 24)
        assert sorted(mail.channel.told()) == sorted([(address, "investigating") for address in people] * 2)
        assert {state for _, state in mail.states()} == {"sent"}


async def test_each_of_a_request_ends_for_itself() -> None:
    outcomes: list[Outcome] = [Sent("one"), BUSY, Rejected(Scope.RECIPIENT, "unknown"), SILENCE]
    with pipeline(ScriptedChannel(batch=10, claim=100)) as mail:
        for number in range(4):
            mail.subscribe(f"p{number}@example.com")
        mail.channel.script(*outcomes)
        mail.publish()
        await mail.deliver()
        assert mail.channel.requests == [4]
        assert sorted(state for _, state in mail.states()) == ["failed", "in_doubt", "planned", "sent"]
        assert [event.data.subscriber for event in mail.events() if isinstance(event.data, EndpointSuppressed)]


async def test_a_request_that_breaks_leaves_all_of_it_in_doubt_and_who_left_out_of_it() -> None:
    with pipeline(ScriptedChannel(batch=10, claim=100)) as mail:
        people = [mail.subscribe(f"p{number}@example.com") for number in range(4)]
        mail.channel.script(RuntimeError("broken"))
        mail.publish()
        mail.append(SubscriberRemoved(people[0], "unsubscribed"))
        await mail.deliver()
        assert mail.channel.requests == [3]
        assert sorted(state for _, state in mail.states()) == ["in_doubt", "in_doubt", "in_doubt", "suppressed"]


async def test_a_channel_that_threads_is_told_what_was_sent_before() -> None:
    with pipeline(ScriptedChannel(threads=True)) as chat:
        chat.subscribe(ANN)
        chat.channel.script(Sent("first"), Sent(), Sent("elsewhere"), Sent("second"))
        for status, subject in ((OPENING, "incident"), (IncidentStatus.IDENTIFIED, "incident"), (OPENING, "another"),
                                (IncidentStatus.MONITORING, "incident"), (RESOLVED, "incident")):  # fmt: skip
            chat.publish(status, subject=subject)
            await chat.deliver()
        assert [message.earlier for message in chat.channel.attempts] == [
            (), ("first",), (), ("first",), ("first", "second"),
        ]  # fmt: skip


async def test_a_channel_that_does_not_is_not(mail: Pipeline) -> None:
    mail.subscribe(ANN)
    mail.channel.script(Sent("first"))
    mail.publish()
    await mail.deliver()
    mail.publish(RESOLVED)
    await mail.deliver()
    assert [message.earlier for message in mail.channel.attempts] == [(), ()]


async def test_a_mail_in_doubt_is_held(mail: Pipeline) -> None:
    mail.subscribe(ANN)
    mail.channel.script(SILENCE)
    mail.publish()
    await mail.deliver()
    mail.now += 600 * MINUTE
    await mail.deliver()
    assert mail.states() == [(ANN, "in_doubt")]
    assert len(mail.channel.attempts) == 1


async def test_a_webhook_in_doubt_is_sent_again_under_the_same_id(hooks: Pipeline) -> None:
    hooks.subscribe("http://hook.example")
    hooks.channel.script(SILENCE, BUSY)
    hooks.publish()
    for expected in ("in_doubt", "in_doubt", "sent"):
        await hooks.deliver()
        assert [state for _, state in hooks.states()] == [expected]
        hooks.now += MINUTE
    assert len({message.notification for message in hooks.channel.attempts}) == 1
    assert [message.in_doubt for message in hooks.channel.attempts] == [False, True, True]


async def test_what_was_certainly_not_sent_is_not_in_doubt_at_the_next_attempt(hooks: Pipeline) -> None:
    hooks.subscribe("http://hook.example")
    hooks.channel.script(BUSY)
    hooks.publish()
    await hooks.deliver()
    hooks.now += MINUTE
    await hooks.deliver()
    assert [message.in_doubt for message in hooks.channel.attempts] == [False, False]


async def test_and_held_after_a_few_times(hooks: Pipeline) -> None:
    hooks.subscribe("http://hook.example")
    hooks.channel.script(*[SILENCE] * 20)
    hooks.publish()
    for _ in range(10):
        await hooks.deliver()
        hooks.now += 10 * MINUTE
    assert len(hooks.channel.attempts) == MOST_ATTEMPTS_IN_DOUBT
    assert [state for _, state in hooks.states()] == ["in_doubt"]


async def test_a_refusal_does_not_end_a_doubt(hooks: Pipeline) -> None:
    subscriber = hooks.subscribe("http://hook.example")
    hooks.channel.script(SILENCE, Rejected(Scope.RECIPIENT, "410 gone"))
    hooks.publish()
    await hooks.deliver()
    hooks.now += MINUTE
    await hooks.deliver()
    hooks.backend.settle()
    known = hooks.backend.subscribers.subscriber(PAGE, subscriber)
    assert known is not None
    assert known.state == SUPPRESSED
    assert [state for _, state in hooks.states()] == ["in_doubt"]


async def test_what_is_in_doubt_never_comes_after_a_newer_update(hooks: Pipeline) -> None:
    hooks.subscribe("http://hook.example")
    hooks.channel.script(SILENCE)
    hooks.publish()
    await hooks.deliver()
    hooks.publish(RESOLVED)
    await hooks.deliver()
    hooks.now += 600 * MINUTE
    await hooks.deliver()
    assert [status for _, status in hooks.channel.told()] == ["investigating", "resolved"]
    assert [state for _, state in hooks.states()] == ["in_doubt", "sent"]


async def test_what_is_in_doubt_stays_so_if_a_newer_update_comes_right_before_it_is_asked_again(
    hooks: Pipeline,
) -> None:
    hooks.subscribe("http://hook.example")
    hooks.channel.script(SILENCE)
    hooks.publish()
    await hooks.deliver()
    hooks.now += MINUTE
    published: list[str] = []

    def overtake(place: str) -> None:
        if place == "before_claim" and not published:
            published.append(hooks.publish(RESOLVED))

    await hooks.deliver(overtake)
    assert published
    assert [status for _, status in hooks.channel.told()] == ["investigating", "resolved"]
    assert [state for _, state in hooks.states()] == ["in_doubt", "sent"], "it may have arrived"


async def test_a_refused_recipient_is_not_tried_again(mail: Pipeline) -> None:
    subscriber = mail.subscribe(ANN)
    mail.publish(subject="first")
    mail.publish(subject="second")
    mail.channel.capabilities = ScriptedChannel(claim=1).capabilities
    mail.channel.script(Rejected(Scope.RECIPIENT, "550 no such user"))
    await mail.deliver()
    mail.publish(subject="third")
    await mail.deliver()
    assert mail.states() == [(ANN, "failed"), (ANN, "suppressed")]
    assert [event.data for event in mail.events() if isinstance(event.data, EndpointSuppressed)] == [
        EndpointSuppressed(subscriber, "550 no such user")
    ]
    assert len(mail.channel.attempts) == 1


async def test_a_channel_that_is_refused_pauses_and_loses_nothing(mail: Pipeline) -> None:
    mail.channel.capabilities = ScriptedChannel(claim=1).capabilities
    for name in ("ann", "ben", "eve"):
        mail.subscribe(f"{name}@example.com")
    mail.publish()
    mail.channel.script(Rejected(Scope.CHANNEL, "535 wrong password"))
    sender = mail.sender()
    running = asyncio.create_task(sender.run())
    while not mail.channel.attempts or any(state == "claimed" for _, state in mail.states()):
        await asyncio.wait([running], timeout=0.002)
    await asyncio.wait([running], timeout=0.05)  # a sender that does not pause would have sent by now
    assert len(mail.channel.attempts) == 1
    mail.now += micros(FIRST_PAUSE)
    sender.wake()
    while mail.is_busy(sender):
        await asyncio.wait([running], timeout=0.002)
    sender.stop()
    await running
    assert {state for _, state in mail.states()} == {"sent"}


async def test_a_slow_provider_is_given_little_at_once_however_fast_it_refuses(mail: Pipeline) -> None:
    """What is in hand when the process dies is in doubt."""
    mail.channel.capabilities = ScriptedChannel(claim=16).capabilities
    for number in range(30):
        mail.subscribe(f"reader-{number}@example.com")
    mail.publish()
    in_hand, most = 0, 0

    async def slowly(_: Message) -> None:
        nonlocal in_hand, most
        in_hand += 1
        most = max(most, in_hand)
        await asyncio.sleep(0.002)
        if len(mail.channel.attempts) > 4:
            mail.now += SECOND
        in_hand -= 1

    mail.channel.before = slowly
    mail.channel.script(BUSY, BUSY, BUSY, BUSY)
    await mail.deliver()
    assert {state for _, state in mail.states()} == {"sent"}
    assert most == 2


async def test_who_left_between_plan_and_send_is_not_told(mail: Pipeline) -> None:
    left, erased = mail.subscribe(ANN), mail.subscribe("ben@example.com")
    mail.publish()
    mail.append(SubscriberRemoved(left, "unsubscribed"))
    mail.backend.vault.erase(erased)
    await mail.deliver()
    assert {(entry.subscriber, entry.state, entry.reason) for entry in mail.entries()} == {
        (left, "suppressed", "the subscriber is removed: unsubscribed"),
        (erased, "suppressed", "the address was erased"),
    }
    assert not mail.channel.attempts


async def test_the_retry_schedule_survives_a_restart(mail: Pipeline) -> None:
    mail.subscribe(ANN)
    mail.channel.script(Retry("busy", timedelta(minutes=10)))
    mail.publish()
    await mail.deliver()
    mail.restart()
    mail.now += 10 * MINUTE - SECOND
    await mail.deliver()
    assert len(mail.channel.attempts) == 1
    mail.now += SECOND
    await mail.deliver()
    assert mail.states() == [(ANN, "sent")]


async def test_a_channel_that_raises_leaves_a_doubt(mail: Pipeline) -> None:
    mail.subscribe(ANN)
    mail.channel.script(RuntimeError("a bug"))
    mail.publish()
    await mail.deliver()
    assert [(entry.state, entry.reason) for entry in mail.entries()] == [
        ("in_doubt", "the channel failed: RuntimeError")
    ]


async def test_what_cannot_be_prepared_is_tried_again(mail: Pipeline) -> None:
    subscriber = mail.subscribe(ANN)
    mail.publish()
    vault = mail.backend.vault
    store = vault._store
    assert isinstance(store, SqliteKeyStore)
    store._connection.execute("alter table keys rename to elsewhere")
    vault._cache.clear()
    await mail.deliver()
    assert [(entry.state, entry.reason) for entry in mail.entries()] == [
        ("planned", "it could not be prepared: OperationalError")
    ]
    store._connection.execute("alter table elsewhere rename to keys")
    mail.now += MINUTE
    await mail.deliver()
    assert mail.states() == [(ANN, "sent")]
    assert subscriber in mail.entries()[0].subscriber


class Unreadable(StoredQueue):
    """A queue whose file cannot be read at the moment at which a claim has just been made."""

    times = 1

    def held_by(self, worker: str, entries: Sequence[Entry]) -> Holding:
        if self.times:
            self.times -= 1
            raise LogUnavailableError("the disk is slow")
        return super().held_by(worker, entries)


async def test_what_is_claimed_is_not_forgotten_when_the_log_cannot_be_read(mail: Pipeline) -> None:
    mail.subscribe(ANN)
    mail.publish()
    mail.backend.queue = Unreadable(mail.backend.log)
    await mail.deliver()
    assert mail.states() == [(ANN, "sent")]


@pytest.mark.parametrize("name", NAMES)
async def test_a_crash_anywhere_leaves_at_most_a_listed_doubt(mail: Pipeline, name: str) -> None:
    mail.subscribe(ANN)
    mail.publish()

    def die(place: str) -> None:
        if place == name:
            raise Crash

    with pytest.raises(Crash):
        await mail.deliver(die)
    mail.restart()
    await mail.deliver()
    sent_before = len(mail.channel.attempts)
    certain = {"before_claim": "sent", "recorded": "sent"}
    assert mail.states() == [(ANN, certain.get(name, "in_doubt"))]
    assert sent_before == (0 if name in {"claimed", "before_send"} else 1)
