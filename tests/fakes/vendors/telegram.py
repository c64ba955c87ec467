"""Telegram's Bot API: sendMessage by https://core.telegram.org/bots/api#sendmessage."""

from typing import Any

from tests.fakes.vendors.http import Reply, Request, json_reply

TOKEN = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11"
CHAT = -1001234567890
SEND = f"/bot{TOKEN}/sendMessage"
_ALLOWED = {"chat_id", "text", "link_preview_options", "reply_parameters"}


def refused(status: int, description: str, **parameters: int) -> Reply:
    """Return what Telegram answers to what it does not do."""
    document: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    return json_reply(status, document | ({"parameters": parameters} if parameters else {}))


class Telegram:
    """One chat, and what the bot wrote into it, by the messages' ids."""

    def __init__(self) -> None:
        self.messages: dict[int, dict[str, Any]] = {}

    def complaint(self, request: Request) -> str | None:
        if not request.target.startswith(f"/bot{TOKEN}/"):
            return "Unauthorized"
        if request.target != SEND or request.method != "POST":
            return "Not Found"
        if request.headers.get("content-type") != "application/json":
            return "Bad Request: expected JSON"
        return _sent(request.json)

    def invalid(self, request: Request, complaint: str) -> Reply:
        return refused({"Unauthorized": 401, "Not Found": 404}.get(complaint, 400), complaint)

    def accept(self, request: Request) -> Reply:
        identifier = 700 + len(self.messages)
        self.messages[identifier] = request.json
        result = {"message_id": identifier, "date": 1_795_357_800, "chat": {"id": CHAT}, "text": request.json["text"]}
        return json_reply(200, {"ok": True, "result": result})


def _sent(document: dict[str, Any]) -> str | None:
    if unknown := set(document) - _ALLOWED:
        return f"Bad Request: {unknown}"
    match document.get("chat_id"):
        case int() | str():
            pass
        case _:
            return "Bad Request: chat_id is empty"
    text = document.get("text")
    if not isinstance(text, str) or not text.strip():
        return "Bad Request: message text is empty"
    if len(text.encode("utf-16-le")) > 2 * 4096:
        return "Bad Request: message is too long"
    if document.get("link_preview_options", {"is_disabled": True}) != {"is_disabled": True}:
        return "Bad Request: link_preview_options"
    match document.get("reply_parameters"):
        case None | {"message_id": int(), "allow_sending_without_reply": bool()}:
            return None
        case _:
            return "Bad Request: reply_parameters"
