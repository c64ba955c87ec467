"""Twilio's callbacks about messages and calls, and what people answer to messages: forms, signed over the URL.

https://www.twilio.com/docs/messaging/guides/track-outbound-message-status, https://www.twilio.com/docs/voice/api/call-resource
and https://www.twilio.com/docs/usage/security. The URL of a callback carries our ``notification``. Callbacks come in any
order; a later one never undoes what an earlier one settled, for which the ledger's rules care.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl

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

AUTH_TOKEN, SHARED_KEY, URL = "auth_token", "shared_key", "url"
"""The names in ``Opening.keys``: what signs (one of the first two), and the address that was given to Twilio."""
SIGNATURE = "x-twilio-signature"
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 200
_LONGEST_SID = 64

MESSAGE_STATUSES: Mapping[str, What] = {
    "queued": What.ACCEPTED,
    "accepted": What.ACCEPTED,
    "scheduled": What.ACCEPTED,
    "sending": What.ACCEPTED,
    "sent": What.ACCEPTED,
    "delivered": What.DELIVERED,
    "read": What.DELIVERED,
    "undelivered": What.FAILED,
    "failed": What.FAILED,
    "canceled": What.FAILED,
}
CALL_STATUSES: Mapping[str, What] = {
    "queued": What.ACCEPTED,
    "initiated": What.ACCEPTED,
    "ringing": What.ACCEPTED,
    "in-progress": What.ACCEPTED,
    "completed": What.DELIVERED,
    "busy": What.FAILED,
    "no-answer": What.FAILED,
    "failed": What.FAILED,
    "canceled": What.FAILED,
}
CODES: Mapping[str, tuple[What, str]] = {
    "21211": (What.UNREACHABLE, "not a valid number"),
    "21408": (What.FAILED, "messages to this country are not permitted"),
    "21610": (What.LEFT, "the recipient said STOP"),
    "21612": (What.FAILED, "there is no route from the sender to this number"),
    "21614": (What.UNREACHABLE, "the number takes no text messages"),
    "21635": (What.UNREACHABLE, "the number is a landline"),
    "30001": (What.FAILED, "the queue overflowed"),
    "30002": (What.FAILED, "the account is suspended"),
    "30003": (What.UNREACHED, "the phone is off or out of reach"),
    "30004": (What.UNREACHABLE, "the number is blocked"),
    "30005": (What.UNREACHABLE, "the phone is unknown"),
    "30006": (What.UNREACHABLE, "a landline, or a carrier that cannot be reached"),
    "30007": (What.FAILED, "a carrier filtered it"),
    "30008": (What.UNREACHED, "unknown error"),
    "30500": (What.FAILED, "internal error"),
}
"""What an ErrorCode says of a message that failed: https://www.twilio.com/docs/api/errors. All others are failures."""
STOP_WORDS = frozenset({"STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL"})
"""https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out; they must be all that a message says."""
START_WORDS = frozenset({"START", "UNSTOP"})
"""What lifts Twilio's own block. It takes YES as well, which people answer to much else: here it brings nobody back."""


def _opened(read: Callable[[dict[str, str], str, Micros], Iterator[Fact]]) -> Callable[[Opening], Reader]:
    def opened(opening: Opening) -> Reader:
        is_signed = _signing(opening)

        def reader(request: ReceiptRequest) -> list[Fact]:
            form = _form(request)
            is_signed(request, form)
            notification = parse_qs(request.query).get("notification", [""])[-1]
            return list(read(form, notification, request.received_at))

        return reader

    return opened


def _signing(opening: Opening) -> Callable[[ReceiptRequest, dict[str, str]], None]:
    """Return what raises NotAuthenticError. A request's own word for the algorithm is not asked for: the settings' counts."""
    # It takes a quarter of a second to import, and only those who listen to Twilio need it.
    from twilio.request_validator import HMAC_SHA1, HMAC_SHA256, RequestValidator  # noqa: PLC0415

    keyed = SHARED_KEY in opening.keys
    validator: Any = RequestValidator(opening.keys[SHARED_KEY if keyed else AUTH_TOKEN])
    algorithm = HMAC_SHA256 if keyed else HMAC_SHA1
    base = opening.keys.get(URL, opening.url)

    def require(request: ReceiptRequest, form: dict[str, str]) -> None:
        signature = request.headers.get(SIGNATURE, "")
        if not signature:
            raise NotAuthenticError("the signature is missing")
        url = f"{base}?{request.query}" if request.query else base
        if not validator.validate(url, form, signature, algorithm):
            raise NotAuthenticError("the signature is wrong")

    return require


def _form(request: ReceiptRequest) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # What is no form cannot have been signed as one.
    refusal = NotAuthenticError("the body is not a form")
    if kind != _FORM:
        raise refusal
    try:
        text = request.body.decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"))
    except ValueError:
        raise refusal from None


def _of_messages(form: dict[str, str], notification: str, now: Micros) -> Iterator[Fact]:
    status = form.get("MessageStatus") or form.get("SmsStatus", "")
    if status == "received" or not status:
        yield from _answered(form, now)
        return
    what = MESSAGE_STATUSES.get(status)
    if notification and what is not None:
        yield from _facts(form, "MessageSid", status, what, notification, now)


def _of_calls(form: dict[str, str], notification: str, now: Micros) -> Iterator[Fact]:
    status = form.get("CallStatus")
    if status is None:
        raise NotUnderstoodError("there is no CallStatus")
    what = CALL_STATUSES.get(status)
    if notification and what is not None:
        yield from _facts(form, "CallSid", status, what, notification, now)


def _facts(form: dict[str, str], name: str, status: str, what: What, notification: str, now: Micros) -> Iterator[Fact]:
    sid = form.get(name, "")
    if not (0 < len(sid) <= _LONGEST_SID and sid.isascii() and sid.isalnum()):
        raise NotUnderstoodError(f"there is no {name}")
    reason = sid
    if what is What.FAILED:
        code = form.get("ErrorCode", "")
        what, words = CODES.get(code, (what, status))
        reason = f"Twilio's code {code}: {words}" if code in CODES else f"{status} at Twilio{_numbered(code)}"
    if what is What.LEFT:
        yield Fact(notification, What.FAILED, reason, now, f"{sid} {status}")
    yield Fact(notification, what, reason, now, f"{sid} {status}")


def _numbered(code: str) -> str:
    return f", code {code}" if code.isascii() and code.isdigit() and 1 < len(code) < 8 else ""


def _answered(form: dict[str, str], now: Micros) -> Iterator[Fact]:
    """Yield what a person wrote to us. With Advanced Opt-Out Twilio says what it took the words for, in whatever language."""
    sid, number = form.get("MessageSid", ""), form.get("From", "")
    if not (sid and number):
        raise NotUnderstoodError("there is neither a status nor a message")
    said = (form.get("OptOutType") or form.get("Body", "")).strip().upper()
    if said in STOP_WORDS:
        yield Fact("", What.LEFT, "answered STOP", now, f"{sid} stop", number)
    elif said in START_WORDS:
        yield Fact("", What.RETURNED, "answered START", now, f"{sid} start", number)


MESSAGES = ReceiptKind("twilio", "Twilio, messages", _opened(_of_messages), quiet=True)
CALLS = ReceiptKind("twilio-voice", "Twilio, calls", _opened(_of_calls), quiet=True)
