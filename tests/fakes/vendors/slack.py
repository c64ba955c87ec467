"""Slack: incoming webhooks, chat.postMessage and chat.update, by their published rules (https://docs.slack.dev).

Its old OpenAPI document wants forms where the SDK sends JSON, so that all of this is by hand.
"""

import re
from typing import Any

from tests.fakes.vendors.http import Reply, Request, json_reply

TOKEN = "xoxb-1-2-fake"
CHANNEL = "C0123456789"
HOOK = "/services/T00000000/B00000000/s3cret"
POST, UPDATE = "/api/chat.postMessage", "/api/chat.update"
AUTH, HISTORY, REPLIES = "/api/auth.test", "/api/conversations.history", "/api/conversations.replies"
BOT = "B0FAKE"
MOST_BLOCKS, MOST_CHARACTERS = 50, 13_000
_LIMITS = {"text": 4000, "header": 150, "section": 3000, "context": 3000}
_COMMON = {"text", "blocks"}
_ARGUMENTS = {
    HOOK: _COMMON | {"unfurl_links", "unfurl_media"},
    POST: _COMMON | {"channel", "metadata", "thread_ts", "reply_broadcast", "unfurl_links", "unfurl_media"},
    UPDATE: _COMMON | {"channel", "metadata", "ts"},
}
_WINDOW = {"channel", "oldest", "limit", "include_all_metadata"}
_QUESTIONS = {AUTH: set[str](), HISTORY: _WINDOW, REPLIES: _WINDOW | {"ts"}}
_CONTROL = re.compile(r"<(?!https?://[^<>|]+\|[^<>|]+>)|&(?!amp;|lt;|gt;)")


class Slack:
    """Keeps ``messages`` by their ``ts``, as a channel shows them; ``hooked`` is what came through the webhook.

    Without ``reads`` its bot has no scope to read what it posts; ``clock`` is the ``ts`` of what is posted, in seconds.
    """

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self.hooked: list[dict[str, Any]] = []
        self.reads = True
        self.clock = 1795357800
        self._count = 0

    def complaint(self, request: Request) -> str | None:
        if request.path in _QUESTIONS:
            return self._unanswerable(request)
        allowed = _ARGUMENTS.get(request.target)
        if request.method != "POST" or allowed is None:
            return "unknown_method"
        if not request.headers.get("content-type", "").startswith("application/json"):
            return "invalid_post_type"
        if request.target != HOOK and request.headers.get("authorization") != f"Bearer {TOKEN}":
            return "invalid_auth"
        if unknown := set(request.json) - allowed:
            return f"invalid_arg_name: {unknown}"
        return _content(request.json) or (None if request.target == HOOK else self._place(request))

    def invalid(self, request: Request, complaint: str) -> Reply:
        if request.target == HOOK:
            return Reply(400, {"content-type": "text/html"}, b"invalid_payload")
        return json_reply(200, {"ok": False, "error": complaint.partition(":")[0]})

    def accept(self, request: Request) -> Reply:
        if request.path in _QUESTIONS:
            return json_reply(200, self._shown(request))
        content = request.json
        if request.target == HOOK:
            self.hooked.append(content)
            return Reply(200, {"content-type": "text/html"}, b"ok")
        if request.target == UPDATE:
            ts = content["ts"]
            self.messages[ts] |= content
        else:
            self._count += 1
            ts = f"{self.clock}.{self._count:06}"
            self.messages[ts] = content
        return json_reply(
            200, {"ok": True, "channel": content["channel"], "ts": ts, "message": {"text": content["text"]}}
        )

    def _unanswerable(self, request: Request) -> str | None:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return "invalid_auth"
        if request.path == AUTH:
            return None
        form = "application/x-www-form-urlencoded"  # what reads takes no JSON
        if request.method != "POST" or not request.headers.get("content-type", "").startswith(form):
            return "invalid_post_type"
        if set(request.form) != _QUESTIONS[request.path]:
            return f"invalid_arguments: {request.form}"
        if not self.reads:
            return "missing_scope"
        if request.form["channel"] != [CHANNEL] or not 1 <= int(request.form["limit"][0]) <= 999:
            return "channel_not_found"
        gone = request.path == REPLIES and request.form["ts"][0] not in self.messages
        return "thread_not_found" if gone else None

    def _shown(self, request: Request) -> dict[str, Any]:
        """Return what a question is answered: of a thread its first message comes first, else the newest does."""
        if request.path == AUTH:
            return {"ok": True, "bot_id": BOT}
        since, root = float(request.form["oldest"][0]), request.form.get("ts", [""])[0]
        told = request.form["include_all_metadata"] == ["1"]
        found = [
            {"ts": ts, "bot_id": BOT, "text": one["text"]}
            | ({"metadata": one["metadata"]} if told and "metadata" in one else {})
            for ts, one in self.messages.items()
            if (ts == root or one.get("thread_ts") == root or (not root and _is_in_channel(one)))
            and (ts == root or float(ts) >= since)
        ]
        most = int(request.form["limit"][0])
        shown = found if root else found[::-1]
        return {"ok": True, "messages": shown[:most], "has_more": len(shown) > most}

    def _place(self, request: Request) -> str | None:
        content = request.json
        if content.get("channel") != CHANNEL:
            return "channel_not_found"
        if request.target == UPDATE and content.get("ts") not in self.messages:
            return "message_not_found"
        root = content.get("thread_ts")
        if root is not None and (root not in self.messages or "thread_ts" in self.messages[root]):
            return "thread_not_found"
        return "invalid_arguments" if "reply_broadcast" in content and root is None else None


def _is_in_channel(message: dict[str, Any]) -> bool:
    return "thread_ts" not in message or bool(message.get("reply_broadcast"))


def _content(content: dict[str, Any]) -> str | None:
    blocks = content.get("blocks")
    if not content.get("text"):
        return "no_text"
    if not isinstance(blocks, list) or not 1 <= len(blocks) <= MOST_BLOCKS:
        return "invalid_blocks"
    texts = [("text", content["text"])]
    for block in blocks:
        found = _texts(block)
        if not found:
            return f"invalid_blocks: {block}"
        texts += found
    for kind, text in texts:
        if not 1 <= len(text) <= _LIMITS[kind]:
            return f"invalid_blocks: {kind} {len(text)}"
        if kind != "header" and _CONTROL.search(text):
            return f"invalid_blocks: {kind} has control characters that are not escaped"
    return "msg_blocks_too_long" if sum(len(text) for _, text in texts) > MOST_CHARACTERS else None


def _texts(block: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the texts of a block, each with what it is in; none of one that is not as it should be."""
    match block:
        case {"type": "header", "text": {"type": "plain_text", "text": str(text), "emoji": bool()}}:
            return [("header", text)]
        case {"type": "section", "text": {"type": "mrkdwn", "text": str(text)}}:
            return [("section", text)]
        case {"type": "context", "elements": [{"type": "mrkdwn", "text": str(text)}]}:
            return [("context", text)]
        case _:
            return []
