"""The judge is judged: sound evidence passes, and each thing that is broken on purpose is found and named."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Any

import msgspec
import pytest

from consumers.delivery.channel import Message
from consumers.delivery.ledger_rules import notification_id
from consumers.delivery.queue import Entry
from schemas.events import DeliveriesRecorded, DeliveryResult
from schemas.vocabulary import NotificationState
from tests.kill.evidence import Evidence, Receipt, Said
from tests.kill.invariants import judge
from tests.unit.delivery.pipeline import Crash, Pipeline, pipeline

SUBJECT, UPDATE, ANN, BEN = "incident", "aaaa", "ann", "ben"
TO_ANN, TO_BEN = notification_id(SUBJECT, UPDATE, ANN), notification_id(SUBJECT, UPDATE, BEN)
FIRING = Said("f1", "firing")


def event(name: str, number: int, /, **data: Any) -> dict[str, Any]:
    return {"id": f"event {number}", "type": name, "data": data}


def result(notification: str, state: str, retry_at: str | None = None) -> dict[str, Any]:
    return {"notification": notification, "state": state, "reason": "", "retry_at": retry_at}


EVENTS = [
    event("AlertReceived", 1, fingerprint="f1", status="firing", episode="e1"),
    event("IncidentOpened", 2, body="command 1"),
    event("NotificationsPlanned", 3, subject_id=SUBJECT, update=UPDATE, recipients=[ANN, BEN], kind="incident"),
    event("NotificationsClaimed", 4, notifications=[TO_ANN, TO_BEN]),
    event("DeliveriesRecorded", 5, results=[result(TO_ANN, "sent"), result(TO_BEN, "in_doubt")]),
]
SOUND = Evidence(
    acknowledged=frozenset({FIRING}),
    event_ids=frozenset({"event 1"}),
    said=frozenset({FIRING, Said("f2", "firing")}),
    commands=frozenset({"command 1"}),
    events=EVENTS,
    listed={TO_ANN: "sent", TO_BEN: "in_doubt"},
    received=[Receipt(TO_ANN, "ann@example.com"), Receipt(TO_BEN, "ben@example.com"), Receipt(TO_BEN, "ben@example.com")],
    shown={"API": "operational"},
    expected={"API": "operational"},
)  # fmt: skip


def test_sound_evidence_is_sound() -> None:
    found = judge(SOUND)
    assert not found.broken
    assert found.counts == {
        "alerts": 1, "lost": 0, "doubled": 0, "planned": 2, "sent": 1, "superseded": 0, "failed": 0, "in doubt": 1,
        "ever in doubt": 1,
        "twice, listed": 1, "twice, unlisted": 0,
    }  # fmt: skip


def without(*numbers: int) -> list[dict[str, Any]]:
    return [one for index, one in enumerate(EVENTS, 1) if index not in numbers]


def ended(*results: dict[str, Any]) -> list[dict[str, Any]]:
    return [*without(5), event("DeliveriesRecorded", 5, results=list(results))]


@pytest.mark.parametrize(
    ("changes", "complaints"),
    [
        ({"events": without(1)}, ["an acknowledged alert is lost", "a promised event is not on the log"]),
        ({"events": [*EVENTS, {**EVENTS[0], "id": "event 9"}]}, ["an alert is 2 times on the log"]),
        ({"events": [*EVENTS, {**EVENTS[0], "id": "event 1"}]}, ["an alert is 2 times", "an event is 2 times"]),
        ({"said": frozenset()}, ["nobody sent this alert"]),
        ({"events": without(2)}, ["a command that was answered is 0 times on the log"]),
        ({"events": [*EVENTS, event("IncidentOpened", 9, body="command 1")]}, ["a command that was answered is 2 times"]),
        (
            {"events": ended(result(TO_BEN, "in_doubt"))},
            ["no end", "is listed as sent and recorded as claimed", "sent and recorded as claimed"],
        ),
        (
            {"events": ended(result(TO_ANN, "sent"), result(TO_BEN, "in_doubt", "2026-11-22T00:00:00Z"))},
            ["a planned notification has no end"],
        ),
        (
            {"events": ended(result(TO_ANN, "sent"), result(TO_BEN, "failed"))},
            ["is listed as in_doubt and recorded as failed", "sent 2 times and never in doubt", "sent and recorded as failed"],
        ),
        (
            {"events": [*without(3), event("NotificationsPlanned", 3, subject_id=SUBJECT, update=UPDATE, recipients=[ANN], kind="incident")]},
            ["nobody planned this notification"],
        ),
        ({"listed": {TO_ANN: "sent"}}, ["a planned notification is not listed"]),
        ({"received": SOUND.received[1:]}, ["recorded as sent and never received"]),
        ({"received": [SOUND.received[0], *SOUND.received]}, ["sent 2 times and never in doubt"]),
        ({"shown": {"API": "major_outage"}}, ["the page shows API as major_outage and it is operational"]),
        ({"complaints": ["a 500"]}, ["a 500"]),
    ],
)  # fmt: skip
def test_whatever_is_broken_is_found_and_named(changes: dict[str, Any], complaints: list[str]) -> None:
    found = judge(replace(SOUND, **changes)).broken
    assert len(found) == len(complaints), found
    for complaint in complaints:
        assert any(complaint in one for one in found), (complaint, found)


def test_the_same_update_under_two_ids_is_found() -> None:
    again = event(
        "NotificationsPlanned", 9, subject_id=SUBJECT, update=UPDATE, recipients=["ann again"], kind="incident"
    )
    other = notification_id(SUBJECT, UPDATE, "ann again")
    events = [*EVENTS, again, event("DeliveriesRecorded", 10, results=[result(other, "sent")])]
    received = [*SOUND.received, Receipt(other, "ann@example.com")]
    found = judge(replace(SOUND, events=events, received=received, listed={**SOUND.listed, other: "sent"})).broken
    assert found == (f"ann@example.com was told 2 times of update {UPDATE}",)


async def claimless(made: Pipeline, *, dies: bool) -> None:
    """Send what is due and record it afterwards, as a sender must not."""
    sender = made.sender()
    for entry in made.backend.queue.next("email", made.now, 100):
        await sender._dispatch.send_all(made.channel, [entry], Random(1), 0, lambda _: True)
        if dies:
            raise Crash
        made.append(_sent(entry))


async def mark_first(made: Pipeline, *, dies: bool) -> None:
    """Record that it was sent and send it afterwards, as a sender must not either."""
    sender = made.sender()
    for entry in made.backend.queue.next("email", made.now, 100):
        made.append(_sent(entry))
        if dies:
            raise Crash
        await sender._dispatch.send_all(made.channel, [entry], Random(1), 0, lambda _: True)


async def as_it_is(made: Pipeline, *, dies: bool) -> None:
    """Claim, send, record."""

    def die(place: str) -> None:
        if dies and place == "sent":
            raise Crash

    await made.deliver(die)


def _sent(entry: Entry) -> DeliveriesRecorded:
    done = DeliveryResult(entry.notification, NotificationState.SENT, "", None)
    return DeliveriesRecorded("broken", entry.shard, [done])


@pytest.mark.parametrize(
    ("deliver", "complaint"),
    [
        (claimless, "sent 2 times and never in doubt"),
        (mark_first, "recorded as sent and never received"),
        (as_it_is, ""),
    ],
)
def test_a_sender_that_is_built_wrong_is_found(deliver: Any, complaint: str) -> None:
    with pipeline() as made:
        made.subscribe("ann@example.com")
        made.publish()
        with pytest.raises(Crash):
            asyncio.run(deliver(made, dies=True))
        made.restart()
        asyncio.run(deliver(made, dies=False))
        found = judge(_evidence(made, made.channel.attempts)).broken
    assert [one.partition(":")[0] for one in found] == ([complaint] if complaint else [])


def _evidence(made: Pipeline, received: Iterable[Message]) -> Evidence:
    events = [
        {"id": one.id, "type": one.type, "data": msgspec.to_builtins(one.data)}
        for one in made.events()
        if one.type in {"NotificationsPlanned", "NotificationsClaimed", "DeliveriesRecorded"}
    ]
    nothing: frozenset[Any] = frozenset()
    listed = {entry.notification: entry.state for entry in made.entries()}
    receipts = [Receipt(message.notification, message.endpoint.address) for message in received]
    return Evidence(nothing, nothing, nothing, nothing, events, listed, receipts, {}, {})
