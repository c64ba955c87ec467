"""Discord's incoming webhooks: its own OpenAPI document, and what it says elsewhere about embeds."""

from typing import Any
from urllib.parse import urlsplit

from tests.fakes.vendors.http import Reply, Request, json_reply
from tests.fakes.vendors.openapi import Document, Patch

HOOK = "/api/webhooks/1234567890/s3cret-token"
MOST_IN_EMBEDS = 6_000
_MESSAGE: dict[str, Any] = {"content": "Some requests fail.", "allowed_mentions": {"parse": []}}


def hook_request(document: Any, target: str = f"{HOOK}?wait=true") -> Request:
    """Return the request that posts a message."""
    return Request("POST", target, {"content-type": "application/json"}, json_reply(0, document).body)


PATCHES = (
    Patch(
        at="/servers/0/url",
        value="https://discord.com/api",
        reason="the URLs that Discord hands out for webhooks have no version",
        proof=hook_request(_MESSAGE),
    ),
)
DOCUMENT = Document("discord", PATCHES)


class Discord:
    """One webhook. ``messages`` are what was posted, by their ids."""

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}

    def complaint(self, request: Request) -> str | None:
        if urlsplit(request.target).path != HOOK:
            return "Unknown Webhook"
        return DOCUMENT.complaint(request) or _by_hand(request)

    def invalid(self, request: Request, complaint: str) -> Reply:
        if complaint == "Unknown Webhook":
            return json_reply(404, {"message": complaint, "code": 10015})
        return json_reply(400, {"message": "Invalid Form Body", "code": 50035, "errors": complaint})

    def accept(self, request: Request) -> Reply:
        identifier = str(1_430_000_000_000_000_000 + len(self.messages))
        self.messages[identifier] = request.json
        return json_reply(
            200, {"id": identifier, "type": 0, "channel_id": "1", "embeds": request.json.get("embeds", [])}
        )


def _by_hand(request: Request) -> str | None:
    """Return what the document does not know (resources/message, "Embed Limits"), and what we would regret."""
    message = request.json
    if request.query.get("wait") != ["true"]:
        return "wait: without it there is no answer to go by"
    if message.get("allowed_mentions") != {"parse": []}:
        return "allowed_mentions: somebody could be mentioned"
    if not (message.get("content") or message.get("embeds")):
        return "Cannot send an empty message"
    if sum(map(_length, message.get("embeds", ()))) > MOST_IN_EMBEDS:
        return "Embed size exceeds maximum size of 6000"
    if any(
        len(field["name"]) > 256 or len(field["value"]) > 1024
        for e in message["embeds"]
        for field in e.get("fields", ())
    ):
        return "embeds.fields: too long"
    if any(not field["name"] or not field["value"] for e in message["embeds"] for field in e.get("fields", ())):
        return "embeds.fields: empty"
    return None


def _length(embed: dict[str, Any]) -> int:
    texts = [embed.get("title", ""), embed.get("description", ""), embed.get("footer", {}).get("text", "")]
    texts += [field[key] for field in embed.get("fields", ()) for key in ("name", "value")]
    return sum(map(len, texts))
