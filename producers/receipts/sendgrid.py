"""SendGrid's Event Webhook: batches of events about mails, signed with ECDSA over a timestamp and the raw body.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event and
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features. An event
carries the ``custom_args`` of its mail among its own members: ``notification`` is ours. Events come more than once and in any order.
"""

import json
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator
from typing import Any

from producers.receipts.receipt import (
    Fact,
    NotAuthenticError,
    NotUnderstoodError,
    Opening,
    Reader,
    ReceiptKind,
    ReceiptRequest,
    What,
)
from schemas.events import Micros

KEY = "event_key"
"""The name of the public key in ``Opening.keys``: base64 without armour, as SendGrid shows it."""
SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
FRESH: Micros = 5 * 60 * 1_000_000
"""By how much the signature's time may differ from ours. SendGrid's own library does not look at it."""
_SECOND: Micros = 1_000_000
_LATEST = 2**40
"""Seconds; what lies beyond is no time."""
_LONGEST_REASON = 200
_OF_THE_ADDRESS = {
    "unsubscribe": (What.LEFT, "unsubscribed at SendGrid"),
    "group_unsubscribe": (What.LEFT, "unsubscribed at SendGrid"),
    "group_resubscribe": (What.RETURNED, "subscribed again at SendGrid"),
    "spamreport": (What.COMPLAINED, "reported as spam"),
}
_DROPPED = {
    "bounced address": What.UNREACHABLE,
    "invalid": What.UNREACHABLE,
    "unsubscribed address": What.LEFT,
    "spam reporting address": What.COMPLAINED,
}
"""Why SendGrid did not even try, where that says something of the address: https://docs.sendgrid.com/glossary/drops."""


def _opened(opening: Opening) -> Reader:
    # It takes a tenth of a second to import, and only those who listen to SendGrid need it.
    from sendgrid.helpers.eventwebhook import EventWebhook  # noqa: PLC0415 -- as above

    webhook = EventWebhook(opening.keys[KEY])

    def read(request: ReceiptRequest) -> list[Fact]:
        _require_signed(webhook, request)
        return [fact for event in _events(request.body) for fact in _facts(event, request.received_at)]

    return read


def _require_signed(webhook: Any, request: ReceiptRequest) -> None:
    signature, stamp = request.headers.get(SIGNATURE, ""), request.headers.get(TIMESTAMP, "")
    if not (signature and stamp):
        raise NotAuthenticError("the signature is missing")
    try:
        is_signed = webhook.verify_signature(request.body.decode("utf-8"), signature, stamp)
    except (Base64Error, ValueError):  # not base64, not ASCII, not UTF-8
        is_signed = False
    if not is_signed:
        raise NotAuthenticError("the signature is wrong")
    if not (stamp.isascii() and stamp.isdigit() and abs(int(stamp[:19]) * _SECOND - request.received_at) <= FRESH):
        raise NotAuthenticError("the signature is not of the last 5 minutes")


def _events(body: bytes) -> Iterable[dict[str, Any]]:
    try:
        # Lenient where orjson is not: half a character in one event must not cost the others.
        events = json.loads(body)
    except (ValueError, RecursionError):
        raise NotUnderstoodError("the body is not JSON") from None
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise NotUnderstoodError("the body is not a list of events")
    return events


def _facts(event: dict[str, Any], now: Micros) -> Iterator[Fact]:
    """Yield what one event says; a mail that is not ours, or an event of no consequence, says nothing."""
    name, notification = _text(event, "event"), _text(event, "notification")
    if not notification:
        return
    for what, reason in _said(name, event):
        # Without an id of its own (none was seen) it is known by what it says.
        key = _text(event, "sg_event_id") or f"{notification} {name}"
        yield Fact(notification, what, reason, _time(event, now), key)


def _said(name: str, event: dict[str, Any]) -> Iterator[tuple[What, str]]:
    match name:
        case "processed":
            yield What.ACCEPTED, _receipt(event)
        case "delivered":
            yield What.DELIVERED, _receipt(event)
        case "bounce" if _text(event, "type") == "blocked":
            yield What.UNREACHED, _reason("blocked", event)
        case "bounce":
            yield What.UNREACHABLE, _reason("bounced", event)
        case "dropped":
            yield from _dropped(event)
        case _ if name in _OF_THE_ADDRESS:
            yield _OF_THE_ADDRESS[name]
        case _:  # deferred: SendGrid goes on by itself; opens and clicks are nobody's business
            pass


def _dropped(event: dict[str, Any]) -> Iterator[tuple[What, str]]:
    why = _text(event, "reason").strip().lower()
    what = _DROPPED.get(why, What.FAILED)
    reason = f"dropped by SendGrid: {why}" if why in _DROPPED else "dropped by SendGrid"
    if what in (What.LEFT, What.COMPLAINED):
        yield What.FAILED, reason
    yield what, reason


def _reason(word: str, event: dict[str, Any]) -> str:
    """Return why for operators: codes and classes only, for what a mail server says in words may name the address."""
    status, kind = _text(event, "status"), _text(event, "bounce_classification")
    details = [part for part in (status, kind) if part and _is_plain(part)]
    return f"{word}: {', '.join(details)}" if details else word


def _is_plain(text: str) -> bool:
    return len(text) <= _LONGEST_REASON and text.isascii() and text.isprintable() and "@" not in text


def _receipt(event: dict[str, Any]) -> str:
    """Return the id that the mail's request was answered with (X-Message-Id): what stands before the first dot."""
    receipt = _text(event, "sg_message_id").partition(".")[0]
    return receipt if _is_plain(receipt) else ""


def _time(event: dict[str, Any], now: Micros) -> Micros:
    value = event.get("timestamp")
    return value * _SECOND if isinstance(value, int) and 0 < value < _LATEST else now


def _text(event: dict[str, Any], name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""


KIND = ReceiptKind("sendgrid", "SendGrid", _opened)
