"""SendGrid's Mail Send API v3: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send."""

from typing import Any

from tests.fakes.vendors.http import Reply, Request, json_reply
from tests.fakes.vendors.openapi import Document, Patch

SEND = "/v3/mail/send"
KEY = "SG.fake-key"
_MOST_ADDRESSES = 1_000
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


class SendGrid:
    """Takes mails. ``mails`` are the personalizations that were accepted, one for each recipient's mail."""

    def __init__(self, key: str = KEY) -> None:
        self.mails: list[dict[str, Any]] = []
        self._key = key
        self._requests = 0

    def complaint(self, request: Request) -> str | None:
        if request.headers.get("authorization") != f"Bearer {self._key}":
            return "The provided authorization grant is invalid, expired, or revoked"
        return DOCUMENT.complaint(request) or (_by_hand(request.json) if request.raw else "the body is missing")

    def invalid(self, request: Request, complaint: str) -> Reply:
        status = 401 if complaint.startswith("The provided authorization") else 400
        return json_reply(status, {"errors": [{"message": complaint, "field": None, "help": None}]})

    def accept(self, request: Request) -> Reply:
        self._requests += 1
        self.mails += request.json["personalizations"]
        return Reply(202, {"X-Message-Id": f"message-{self._requests}", "content-type": "text/plain"})


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
    if not (mail.get("subject") or mail.get("template_id") or all(each.get("subject") for each in personalizations)):
        return "subject: is required"
    return None if mail.get("content") or mail.get("template_id") else "content: is required"
