"""SendGrid's Mail Send API v3: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send.

What it says afterwards is ``sendgrid_events``'s.
"""

import re
from dataclasses import dataclass
from typing import Any

from tests.fakes.vendors.http import Reply, Request, json_reply
from tests.fakes.vendors.openapi import Document, Patch

SEND = "/v3/mail/send"
KEY = "SG.fake-key"
_MOST_ADDRESSES = 1_000
_RESERVED = {
    "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding", "to", "from",
    "subject", "reply-to", "cc", "bcc",
}  # fmt: skip
_CUSTOM_ARGS = "/components/requestBodies/PostMailSend/content/application~1json/schema/properties/custom_args"
MAIL: dict[str, Any] = {
    "personalizations": [{"to": [{"email": "kim@customer.example"}]}],
    "from": {"email": "status@acme.example"},
    "subject": "API errors",
    "content": [{"type": "text/plain", "value": "Some requests fail."}],
}
"""The least that is a mail."""


def mail_request(document: Any, key: str = KEY) -> Request:
    """Return the request that sends a mail."""
    reply = json_reply(0, document)
    return Request("POST", SEND, {"content-type": "application/json", "authorization": f"Bearer {key}"}, reply.body)


PATCHES = (
    Patch(
        at=_CUSTOM_ARGS,
        value={"type": "object"},
        reason="custom_args of the whole message is an object, as that of a personalization is; the document says text",
        proof=mail_request(MAIL | {"custom_args": {"notification": "n1"}}),
    ),
)
DOCUMENT = Document("sendgrid", PATCHES)
ACTIVITY = Document("sendgrid_activity")
_ASKED = re.compile(r"\(unique_args\['notification'\]=\"([0-9a-f]+)\"\)")


@dataclass(frozen=True)
class Letter:
    """A mail as its recipient would get it. ``message_id`` is what the request was answered with."""

    to: str
    subject: str
    text: str
    html: str
    headers: dict[str, str]
    custom_args: dict[str, str]
    message_id: str


class SendGrid:
    """Takes mails. ``mails`` are the personalizations that were accepted, one for each recipient's mail.

    A request to an address of ``unwanted`` is refused as a whole; the answer names a field where the address has one, with
    ``{}`` for the number of the personalization. It says so although the request is as it should be. ``hides`` is the time in
    which Email Activity does not show what was accepted; ``failed`` are the addresses to which nothing could be delivered.
    """

    def __init__(self, key: str = KEY) -> None:
        self.mails: list[dict[str, Any]] = []
        self.letters: list[Letter] = []
        self.unwanted: dict[str, str | None] = {}
        self.hides = False
        self.failed: set[str] = set()
        self._key = key
        self._requests = 0

    def complaint(self, request: Request) -> str | None:
        if request.headers.get("authorization") != f"Bearer {self._key}":
            return "The provided authorization grant is invalid, expired, or revoked"
        if request.method == "GET":
            query = request.query.get("query", [""])[0]
            strange = " OR ".join(f"(unique_args['notification']=\"{one}\")" for one in _ASKED.findall(query)) != query
            return ACTIVITY.complaint(request) or ("query: this fake knows no other" if strange else None)
        return DOCUMENT.complaint(request) or (_by_hand(request.json) if request.raw else "the body is missing")

    def invalid(self, request: Request, complaint: str) -> Reply:
        status = 401 if complaint.startswith("The provided authorization") else 400
        return json_reply(status, {"errors": [{"message": complaint, "field": None, "help": None}]})

    def accept(self, request: Request) -> Reply:
        if request.method == "GET":
            return self._shown(_ASKED.findall(request.query["query"][0]))
        mail = request.json
        for index, each in enumerate(mail["personalizations"]):
            for to in each["to"]:
                if to["email"] in self.unwanted:
                    return _refusal(self.unwanted[to["email"]], index)
        self._requests += 1
        message_id = f"message-{self._requests}"
        self.mails += mail["personalizations"]
        self.letters += [_letter(mail, each, message_id) for each in mail["personalizations"]]
        return Reply(202, {"X-Message-Id": message_id, "content-type": "text/plain"})

    def _shown(self, notifications: list[str]) -> Reply:
        """Return what Email Activity shows of mails with these arguments."""
        found = [
            {
                "from_email": "status@acme.example",
                "msg_id": f"{letter.message_id}.recvd-1-2.0",
                "subject": letter.subject,
                "to_email": letter.to,
                "status": "not_delivered" if letter.to in self.failed else "processed",
                "opens_count": 0,
                "clicks_count": 0,
                "last_event_time": "2026-11-22T14:31:00Z",
            }
            for letter in self.letters
            if letter.custom_args.get("notification") in notifications and not self.hides
        ]
        return json_reply(200, {"messages": found})


def _refusal(field: str | None, index: int) -> Reply:
    said = {"message": "Does not contain a valid address.", "field": field and field.format(index), "help": None}
    return json_reply(400, {"errors": [said]})


def _letter(mail: dict[str, Any], each: dict[str, Any], message_id: str) -> Letter:
    """Write one mail: what a personalization has counts instead of what the request has, tags are replaced."""
    contents = {part["type"]: part["value"] for part in mail["content"]}

    def filled(text: str) -> str:
        for tag, value in each.get("substitutions", {}).items():
            text = text.replace(tag, value)
        return text

    [to] = each["to"]
    return Letter(
        to["email"],
        filled(each.get("subject", mail.get("subject", ""))),
        filled(contents.get("text/plain", "")),
        filled(contents.get("text/html", "")),
        each.get("headers", mail.get("headers", {})),
        each.get("custom_args", mail.get("custom_args", {})),
        message_id,
    )


def _by_hand(mail: dict[str, Any]) -> str | None:
    """Return what the published rules forbid beyond the document (mail-send/errors, mail-send/limitations)."""
    personalizations = mail["personalizations"]
    if not personalizations:
        return "personalizations: at least one is needed"
    if not all(each.get("to") for each in personalizations):
        return "personalizations.to: at least one recipient is needed"
    addresses = [
        to["email"].lower() for each in personalizations for field in ("to", "cc", "bcc") for to in each.get(field, ())
    ]
    if len(set(addresses)) != len(addresses):
        return "Each email address in the personalization block should be unique between to, cc, and bcc"
    if len(addresses) > _MOST_ADDRESSES:
        return "personalizations: more than 1000 recipients"
    for each in (mail, *personalizations):
        if complaint := _about_extras(each):
            return complaint
    types = [part["type"] for part in mail.get("content", ())]
    if types != sorted(types, key=("text/plain", "text/html").index):
        return "content: text/plain comes before text/html"
    if not (mail.get("subject") or mail.get("template_id") or all(each.get("subject") for each in personalizations)):
        return "subject: is required"
    return None if mail.get("content") or mail.get("template_id") else "content: is required"


def _about_extras(part: dict[str, Any]) -> str | None:
    """Return what is wrong with the headers, arguments or substitutions of a request or a personalization."""
    headers, args, tags = (part.get(name, {}) for name in ("headers", "custom_args", "substitutions"))
    if reserved := {name.lower() for name in headers} & _RESERVED:
        return f"headers: {sorted(reserved)} cannot be overridden"
    if not all(isinstance(value, str) and value.isascii() and value.isprintable() for value in headers.values()):
        return "headers: must be of US-ASCII"
    if not all(isinstance(value, str) for value in (*args.values(), *tags.values())):
        return "custom_args and substitutions: must be text"
    if "@" in "".join(args.values()):
        return "custom_args: are kept for good and hold no address"
    if any(sum(len((name + value).encode()) for name, value in each.items()) > 10_000 for each in (args, tags)):
        return "custom_args and substitutions: have at most 10,000 bytes"
    return None
