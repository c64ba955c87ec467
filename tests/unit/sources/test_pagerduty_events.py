"""The answers of the Events API v2, and who is meant by a routing key."""

import json

import pytest

from producers.sources.pagerduty_events import Enqueued, enqueue, routing_key
from producers.sources.source import RawRequest
from tests.unit.sources.bodies import NOON

PAYLOAD = {"summary": "Orders fail", "source": "orders-1", "severity": "critical"}


def send(**event: object) -> Enqueued:
    return enqueue(RawRequest(json.dumps({"routing_key": "k" * 32, **event}).encode(), {}, "", NOON))


@pytest.mark.parametrize("action", ["trigger", "acknowledge", "resolve"])
def test_an_event_that_is_taken(action: str) -> None:
    reply = send(event_action=action, dedup_key="shop/orders", payload=PAYLOAD).reply
    assert reply.status == 202
    assert json.loads(reply.body) == {"status": "success", "message": "Event processed", "dedup_key": "shop/orders"}


def test_a_trigger_without_a_key_is_told_the_key_with_which_it_can_be_resolved() -> None:
    opened = send(event_action="trigger", payload=PAYLOAD)
    key = json.loads(opened.reply.body)["dedup_key"]
    resolved = send(event_action="resolve", dedup_key=key)
    assert [alert.fingerprint for alert in opened.parsed.alerts + resolved.parsed.alerts] == [key, key]


def test_a_request_sent_again_is_not_another_alert() -> None:
    first, again = (
        send(event_action="trigger", payload=PAYLOAD | {"timestamp": time}) for time in ("2026-03-01T11:00:00Z", "")
    )
    other = send(event_action="trigger", payload=PAYLOAD | {"summary": "Orders are slow"})
    assert first.reply == again.reply != other.reply


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({}, "event_action"),
        ({"event_action": "explode"}, "event_action"),
        ({"event_action": ["trigger"]}, "event_action"),
        ({"event_action": "trigger"}, "payload"),
        ({"event_action": "trigger", "payload": "Orders fail"}, "payload"),
        ({"event_action": "trigger", "payload": PAYLOAD | {"summary": " "}}, "payload.summary"),
        ({"event_action": "trigger", "payload": PAYLOAD | {"source": None}}, "payload.source"),
        ({"event_action": "trigger", "payload": PAYLOAD | {"severity": "bad"}}, "payload.severity"),
        ({"event_action": "trigger", "payload": PAYLOAD, "dedup_key": "k" * 256}, "dedup_key"),
        ({"event_action": "resolve"}, "dedup_key"),
        ({"event_action": "acknowledge", "dedup_key": " "}, "dedup_key"),
    ],
)
def test_an_event_that_cannot_be_taken_is_answered_and_kept(event: dict[str, object], error: str) -> None:
    enqueued = send(**event)
    answer = json.loads(enqueued.reply.body)
    assert enqueued.reply.status == 400
    assert (answer["status"], answer["message"]) == ("invalid event", "Event object is invalid")
    assert len(answer["errors"]) == 1
    assert f"'{error}'" in answer["errors"][0]
    assert len(enqueued.parsed.problems) == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 10_000, b'"\xff"'])
def test_a_body_that_is_no_event(body: bytes) -> None:
    assert enqueue(RawRequest(body, {}, "", NOON)).reply.status == 400
    assert routing_key(body) is None


@pytest.mark.parametrize(
    ("written", "key"), [('"abc"', "abc"), ('" abc "', "abc"), ("17", "17"), ('""', None), ("null", None)]
)
def test_routing_key(written: str, key: str | None) -> None:
    assert routing_key(f'{{"routing_key": {written}}}'.encode()) == key
