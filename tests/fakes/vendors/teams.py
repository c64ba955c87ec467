"""A webhook of Microsoft's Workflows: takes Adaptive Cards 1.4 and nothing else, by Microsoft's schema and limits."""

from typing import Any
from urllib.parse import urlsplit

from tests.fakes.vendors.http import Reply, Request, json_reply

HOOK = "/workflows/0a1b2c/triggers/manual/paths/invoke?api-version=2016-06-01&sig=s3cret"
MOST_BYTES = 21_000
"""Microsoft documents 28 KB; a client found refusals from here on."""
_CARD = {"$schema", "type", "version", "body", "actions", "msteams"}
_KINDS = {"text": str, "wrap": bool, "isSubtle": bool}
_WORDS = {
    "type": {"TextBlock"}, "size": {"Small", "Default", "Medium", "Large"}, "weight": {"Lighter", "Default", "Bolder"},
    "style": {"default", "heading"}, "color": {"default", "dark", "light", "accent", "good", "warning", "attention"},
}  # fmt: skip
_MOST_ACTIONS = 6


class Teams:
    """One flow. ``cards`` are what it was given."""

    def __init__(self) -> None:
        self.cards: list[dict[str, Any]] = []

    def complaint(self, request: Request) -> str | None:
        if request.method != "POST" or urlsplit(request.target) != urlsplit(HOOK):
            return "AuthorizationFailed"
        if request.headers.get("content-type") != "application/json":
            return "expected application/json"
        if len(request.raw) > MOST_BYTES:
            return "RequestEntityTooLarge"
        match request.json:
            case {"type": "message", "attachments": [attachment]}:
                return _attachment(attachment)
            case _:
                return "TriggerInputSchemaMismatch"

    def invalid(self, request: Request, complaint: str) -> Reply:
        status = {"AuthorizationFailed": 401, "RequestEntityTooLarge": 413}.get(complaint, 400)
        return json_reply(status, {"error": {"code": complaint, "message": complaint}})

    def accept(self, request: Request) -> Reply:
        self.cards.append(request.json["attachments"][0]["content"])
        return Reply(202)


def _attachment(attachment: dict[str, Any]) -> str | None:
    if set(attachment) != {"contentType", "contentUrl", "content"} or attachment["contentUrl"] is not None:
        return "an attachment is a contentType, an empty contentUrl and a content"
    if attachment["contentType"] != "application/vnd.microsoft.card.adaptive":
        return "not an Adaptive Card"
    card = attachment["content"]
    if set(card) != _CARD or (card["type"], card["version"]) != ("AdaptiveCard", "1.4") or not card["body"]:
        return "not a card of version 1.4"
    if card["msteams"] != {"width": "Full"} or len(card["actions"]) > _MOST_ACTIONS:
        return "not what Teams takes"
    return next(filter(None, (*map(_block, card["body"]), *map(_action, card["actions"]))), None)


def _block(block: dict[str, Any]) -> str | None:
    for key, value in block.items():
        wanted = _KINDS.get(key)
        if value not in _WORDS.get(key, ()) and not (wanted is not None and isinstance(value, wanted)):
            return f"TextBlock: {key}"
    return None if block.get("text") else "TextBlock: text"


def _action(action: dict[str, Any]) -> str | None:
    well = set(action) == {"type", "title", "url"} and action["type"] == "Action.OpenUrl" and "://" in action["url"]
    return None if well else "Action.OpenUrl"
