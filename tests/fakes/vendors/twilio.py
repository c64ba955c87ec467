"""Twilio's API for messages and calls, 2010-04-01: https://www.twilio.com/docs/messaging/api/message-resource."""

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree as ET

from twilio.request_validator import RequestValidator

from tests.fakes.vendors.http import Reply, Request, json_reply
from tests.fakes.vendors.openapi import Document, Patch

ACCOUNT = "AC" + "0a" * 16
TOKEN = "f4ke70ken"
SENDER = "+15005550006"
MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
CALLS = f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
MESSAGE = {"To": "+4915112345678", "From": SENDER, "Body": "API errors: some requests fail."}
"""The least that is a message."""
_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_LONGEST_BODY, _LONGEST_TWIML, _LONGEST_WAIT = 1_600, 4_000, 36_000
_UNAUTHORISED = "Authenticate"


def form_request(path: str, form: dict[str, str], user: str = ACCOUNT, password: str = TOKEN) -> Request:
    """Return the request that posts a form."""
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
    headers = {"content-type": "application/x-www-form-urlencoded", "authorization": f"Basic {credentials}"}
    return Request("POST", path, headers, urlencode(form).encode())


_FORM = (
    "/paths/~12010-04-01~1Accounts~1{AccountSid}~1Messages.json/post/requestBody/content"
    "/application~1x-www-form-urlencoded/schema/properties"
)
PATCHES = (
    Patch(
        at=f"{_FORM}/Body",
        value={"type": "string", "maxLength": _LONGEST_BODY},
        reason="a body has at most 1600 characters (error 21617); the document sets no limit",
        proof=form_request(MESSAGES, MESSAGE | {"Body": "x" * (_LONGEST_BODY + 1)}),
        refused=True,
    ),
    Patch(
        at=f"{_FORM}/ValidityPeriod",
        value={"type": "integer", "minimum": 1, "maximum": _LONGEST_WAIT},
        reason="a message may wait for 1 to 36000 seconds; the document sets no limits",
        proof=form_request(MESSAGES, MESSAGE | {"ValidityPeriod": str(_LONGEST_WAIT + 1)}),
        refused=True,
    ),
)
DOCUMENT = Document("twilio", PATCHES)


class Twilio:
    """Takes messages and calls, and lists them. ``texts`` and ``calls`` are the forms of those that were accepted.

    ``listed`` is what it tells of them, the newest first; ``hides`` is the time in which it does not do so yet. ``clock`` is its own.
    """

    def __init__(self, user: str = ACCOUNT, password: str = TOKEN) -> None:
        self.texts: list[dict[str, str]] = []
        self.calls: list[dict[str, Any]] = []
        self.at_once: dict[str, Any] = {}
        """What the answer to a message says beside its id: ``{"status": "failed", "error_code": 30005}``."""
        self.listed: list[dict[str, Any]] = []
        self.hides = False
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._authorization = form_request("", {}, user, password).headers["authorization"]
        self._made = 0

    def complaint(self, request: Request) -> str | None:
        if request.headers.get("authorization") != self._authorization:
            return _UNAUTHORISED
        if f"/{ACCOUNT}/" not in request.path:
            return "the account is another's"
        by_hand = None if request.method == "GET" else _by_hand(request.path, request.form)
        return DOCUMENT.complaint(request) or by_hand

    def invalid(self, request: Request, complaint: str) -> Reply:
        return refusal(401, 20003) if complaint == _UNAUTHORISED else refusal(400, 21604)

    def accept(self, request: Request) -> Reply:
        if request.method == "GET":
            return self._listing(request)
        self._made += 1
        form = {name: values[0] for name, values in request.form.items()}
        if request.path == CALLS:
            self.calls.append(form | {"StatusCallbackEvent": request.form.get("StatusCallbackEvent", [])})
            said: dict[str, Any] = {"sid": f"CA{self._made:032x}", "status": "queued", "to": form["To"]}
            self._list(said | {"from": form["From"]})
            return json_reply(201, said)
        self.texts.append(form)
        said = {"sid": f"SM{self._made:032x}", "status": "queued", "error_code": None, "to": form["To"]} | self.at_once
        self._list(said | {"body": form["Body"], "from": form.get("From", SENDER)})
        return json_reply(201, said)

    def _list(self, said: dict[str, Any]) -> None:
        created = format_datetime(self.clock())
        self.listed.insert(0, said | {"direction": "outbound-api", "date_created": created, "date_sent": None})

    def _listing(self, request: Request) -> Reply:
        """Return a page of what was made, the newest first, without what matches no filter."""
        asked = {name: values[0] for name, values in request.query.items()}
        assert set(asked) <= {"To", "From", "PageSize"}, "this fake knows no other filters"
        sids, name = ("CA", "calls") if request.path == CALLS else ("SM", "messages")
        found = [
            one
            for one in self.listed
            if one["sid"].startswith(sids)
            and asked.get("To", one["to"]) == one["to"]
            and asked.get("From", one["from"]) == one["from"]
        ]
        page = [] if self.hides else found[: int(asked.get("PageSize", 50))]
        return json_reply(
            200, {name: page, "page": 0, "page_size": len(page), "next_page_uri": None, "uri": request.path}
        )


def refusal(status: int, code: int, headers: dict[str, str] | None = None) -> Reply:
    """Return how Twilio refuses; the real one names the number in its message, so this does."""
    url = f"https://www.twilio.com/docs/errors/{code}"
    said = {"code": code, "message": f"The number {MESSAGE['To']} is refused", "more_info": url, "status": status}
    return json_reply(status, said, headers)


def problem(status: int, code: int) -> Reply:
    """Return how Twilio's newer services refuse (RFC 9457)."""
    said = {"type": "https://www.twilio.com/docs/errors", "title": MESSAGE["To"], "status": status, "code": code}
    return json_reply(status, said)


def callback(url: str, form: dict[str, str], key: str = TOKEN, algorithm: str = "HMAC_SHA1") -> Request:
    """Return a request that Twilio makes to us, signed."""
    signature = RequestValidator(key).compute_signature(url, form, algorithm)
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature}
    parts = urlsplit(url)
    return Request("POST", f"{parts.path}?{parts.query}", headers, urlencode(form).encode())


def _by_hand(path: str, form: dict[str, list[str]]) -> str | None:
    """Return what the published rules forbid beyond the document."""
    if not _E164.fullmatch(form["To"][0]):
        return "To: not a number in E.164"
    if path == CALLS:
        return _twiml_complaint(form)
    if not form.get("From") and not form.get("MessagingServiceSid"):
        return "From or MessagingServiceSid: one is needed"
    if not form.get("Body", [""])[0].strip():
        return "Body: is required"
    return _callback_complaint(form)


def _twiml_complaint(form: dict[str, list[str]]) -> str | None:
    twiml = form.get("Twiml", [""])[0]
    if len(twiml) > _LONGEST_TWIML:
        return "Twiml: longer than 4000 characters"
    try:
        root = ET.fromstring(twiml)
    except ET.ParseError:
        return "Twiml: not XML"
    if root.tag != "Response" or not {child.tag for child in root} <= {"Say", "Pause"}:
        return "Twiml: not a Response"
    if set(form.get("StatusCallbackEvent", [])) - {"initiated", "ringing", "answered", "completed"}:
        return "StatusCallbackEvent: not an event"
    return _callback_complaint(form)


def _callback_complaint(form: dict[str, list[str]]) -> str | None:
    url = urlsplit(form.get("StatusCallback", ["https://here.example"])[0])
    good = url.scheme in {"http", "https"} and url.hostname and "_" not in url.hostname
    return None if good else "StatusCallback: not a URL that Twilio takes"
