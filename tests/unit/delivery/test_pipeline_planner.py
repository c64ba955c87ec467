"""The planner: who is in the plan of an update, once and for all; and the sign-ups and operators beside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consumers.delivery.channel import Endpoint
from consumers.delivery.plans import CHUNK, EACH, head_start
from consumers.delivery.reminders import reminder_changes
from consumers.delivery.subscribers import ACTIVE
from schemas.events import (
    Cell,
    Filter,
    NoticePublished,
    NotificationsPlanned,
    SubscriberAdded,
    SubscriberChanged,
    SubscriberConfirmed,
    SubscriberRemoved,
)
from schemas.topics import shard_of
from schemas.vocabulary import Impact, Kind
from streams.runtime.signup import confirmation
from tests.unit.delivery.pipeline import EVERYTHING, OPENING, PAGE, RESOLVED, Pipeline, ScriptedChannel, notice_of

ANN, BEN = "ann@example.com", "ben@example.com"
KINDS = EVERYTHING.kinds


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Pipeline]:
    made = Pipeline(tmp_path)
    yield made
    made.close()


def told(made: Pipeline) -> list[tuple[str, str]]:
    return made.channel.told()


async def test_the_audience_is_per_cell_and_whoever_was_told_is_told_to_the_end(mail: Pipeline) -> None:
    mail.subscribe(ANN, Filter([Cell("api", "eu")], Impact.NONE, KINDS))
    mail.subscribe(BEN, Filter([Cell("api", "us"), Cell("payments", "eu")], Impact.NONE, KINDS))
    mail.subscribe("pia@example.com", Filter([Cell("platform", "us")], Impact.CRITICAL, KINDS))
    mail.append(NoticePublished(notice_of(OPENING, "incident", mail.now)))
    await mail.deliver()
    assert told(mail) == [(ANN, "investigating")]
    mail.append(NoticePublished(notice_of(RESOLVED, "incident", mail.now, [Cell("api", "us")])))
    await mail.deliver()
    assert sorted(told(mail)[1:]) == [(ANN, "resolved"), (BEN, "resolved"), ("pia@example.com", "resolved")]


async def test_who_turns_a_kind_off_is_told_no_more_of_what_was_begun(mail: Pipeline) -> None:
    ann = mail.subscribe(ANN)
    mail.publish()
    mail.append(SubscriberChanged(ann, Filter(None, Impact.NONE, [Kind.MAINTENANCE])))
    mail.publish(RESOLVED)
    await mail.deliver()
    assert told(mail) == [(ANN, "investigating")]


async def test_the_plan_is_the_record(mail: Pipeline) -> None:
    """Who comes after the plan is not told by it, and who changes the filter after it is."""
    ann = mail.subscribe(ANN)
    mail.publish()
    mail.append(SubscriberChanged(ann, Filter([Cell("login")], Impact.NONE, KINDS)))
    mail.subscribe(BEN)
    await mail.deliver()
    assert told(mail) == [(ANN, "investigating")]


def test_plans_hold_at_most_a_thousand_of_one_shard_and_everybody_once(mail: Pipeline) -> None:
    wanted = [f"8f{number:030x}" for number in range(2 * CHUNK + 1)] + ["00" * 16, "ff" * 16]
    mail.append(*(SubscriberAdded(one, "email", b"sealed", EVERYTHING, True, "test") for one in wanted))
    mail.publish()
    plans = [event.data for event in mail.events() if isinstance(event.data, NotificationsPlanned)]
    assert [len(plan.recipients) for plan in plans] == [1, CHUNK, CHUNK, 1, 1]
    assert sorted(one for plan in plans for one in plan.recipients) == sorted(wanted)
    assert [plan.chunk for plan in plans] == list(range(5))
    begun = head_start(notice_of(OPENING, "incident", 0))
    behind = [sum(len(plan.recipients) for plan in plans[:number]) for number in range(5)]
    assert [plan.turn for plan in plans] == [begun + EACH * before for before in behind]
    assert all(plan.shard == shard_of(one) for plan in plans for one in plan.recipients)


@pytest.mark.parametrize(
    ("changes", "is_urgent"),
    [
        ({"impact": Impact.MINOR}, False),
        ({"impact": Impact.CRITICAL}, True),
        ({"impact": Impact.MINOR, "status": "resolved"}, True),
        ({"impact": Impact.NONE, "kind": Kind.MAINTENANCE, "status": "completed"}, True),
        ({"impact": Impact.NONE, "kind": Kind.CONFIRMATION, "status": "pending"}, True),
        ({"impact": Impact.NONE, "kind": Kind.REMINDER}, True),
    ],
)
def test_what_is_over_or_critical_or_waited_for_goes_first(changes: dict[str, Any], is_urgent: bool) -> None:
    assert (head_start(msgspec.structs.replace(notice_of(OPENING, "incident", 0), **changes)) < 0) == is_urgent


async def test_a_sign_up_is_asked_to_confirm_and_told_nothing_until_then(mail: Pipeline) -> None:
    ann = mail.subscribe(ANN, confirmed=False)
    mail.publish()
    await mail.deliver()
    [message] = mail.channel.attempts
    assert message.notice.kind is Kind.CONFIRMATION
    assert message.confirm_url
    mail.append(SubscriberConfirmed(ann))
    mail.publish()
    await mail.deliver()
    assert [one.notice.kind for one in mail.channel.attempts[1:]] == [Kind.INCIDENT]


async def test_a_known_address_that_signs_up_again_is_replaced_once_it_confirms(mail: Pipeline) -> None:
    """Until then the old subscription stands: whoever typed the address need not be its owner."""
    old = mail.subscribe(ANN, Filter([Cell("api", "eu")], Impact.NONE, KINDS))
    new = mail.subscribe(ANN, Filter([Cell("login")], Impact.NONE, KINDS), confirmed=False)
    await mail.deliver()
    assert [one.notice.subject_id for one in mail.channel.attempts] == [new]
    mail.publish(subject="before")
    mail.backend._append_events(confirmation(mail.backend.vault, PAGE, new, mail.now))
    mail.backend._append_events(confirmation(mail.backend.vault, PAGE, new, mail.now))
    mail.backend.settle()
    mail.publish(subject="after")
    await mail.deliver()
    kinds = [event.type for event in mail.events() if isinstance(event.data, (SubscriberConfirmed, SubscriberRemoved))]
    assert kinds == ["SubscriberConfirmed", "SubscriberRemoved"]
    known = mail.backend.subscribers.subscriber(PAGE, old)
    assert known is not None
    assert (known.state, known.reason, known.address) == ("removed", "replaced", b"")
    # The mail of before was planned for the old one, who was gone when it was to be sent.
    assert [entry.state for entry in mail.entries()] == ["sent", "suppressed"]


async def test_a_webhook_that_answers_its_challenge_is_confirmed(tmp_path: Path) -> None:
    made = Pipeline(tmp_path, ScriptedChannel("webhook", idempotent=True))
    hook = made.subscribe("http://hook.example", confirmed=False)
    await made.deliver()
    made.backend.settle()
    known = made.backend.subscribers.subscriber(PAGE, hook)
    assert known is not None
    assert known.state == ACTIVE
    assert made.channel.attempts[0].token
    made.close()


def test_reminded_operators_follow_the_configuration_and_nothing_else(mail: Pipeline) -> None:
    def changes(*addresses: str) -> list[str]:
        found = reminder_changes(mail.backend.subscribers.book.reminded(PAGE), mail.backend.vault, PAGE, addresses)
        mail.append(*found)
        return [type(one).__name__ for one in found]

    assert changes(ANN, BEN) == ["SubscriberAdded", "SubscriberAdded"]
    assert changes(BEN, ANN) == []
    assert changes(BEN) == ["SubscriberRemoved"]
    assert changes(ANN) == ["SubscriberAdded", "SubscriberRemoved"]
    mail.restart()
    assert changes(ANN) == []


async def test_a_reminder_reaches_operators_alone_and_can_be_left_as_any_mail(mail: Pipeline) -> None:
    mail.subscribe(ANN)
    mail.backend.remind(PAGE, ("ops@acme.example",))
    opening = notice_of(OPENING, "incident", mail.now)
    mail.append(NoticePublished(msgspec.structs.replace(opening, kind=Kind.REMINDER, changes=[])))
    mail.append(NoticePublished(notice_of(OPENING, "incident", mail.now)))
    await mail.deliver()
    assert sorted((one.endpoint.address, one.notice.kind.value) for one in mail.channel.attempts) == [
        (ANN, "incident"),
        ("ops@acme.example", "reminder"),
    ]
    assert all("/unsubscribe/" in one.unsubscribe_url for one in mail.channel.attempts)
    assert Endpoint(ANN) in [one.endpoint for one in mail.channel.attempts]
