"""PagerDuty's Events API v2, by https://developer.pagerduty.com/docs/send-alert-event: what it takes and what becomes of alerts."""

import re
from typing import Any

from tests.fakes.vendors.http import Reply, Request, json_reply

KEY = "0123456789abcdef0123456789abcdef"
ENQUEUE = "/v2/enqueue"
MOST_BYTES = 512 * 1024
_TOP = {"routing_key", "event_action", "dedup_key", "payload", "images", "links", "client", "client_url"}
_REQUIRED = {"summary", "source", "severity"}
_PAYLOAD = _REQUIRED | {"timestamp", "component", "group", "class", "custom_details"}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")


class PagerDuty:
    """One service. ``alerts`` are their states by key, ``triggers`` what opened or repeated them; what fits none is dropped."""

    def __init__(self) -> None:
        self.alerts: dict[str, str] = {}
        self.triggers: list[dict[str, Any]] = []

    def complaint(self, request: Request) -> str | None:
        if (request.method, request.target) != ("POST", ENQUEUE):
            return "no such place"
        if len(request.raw) > MOST_BYTES:
            return "the event is larger than 512 KB"
        event = request.json
        if unknown := set(event) - _TOP:
            return f"unknown keys: {unknown}"
        if event.get("routing_key") != KEY:
            return "Invalid routing key"
        if not 1 <= len(event.get("dedup_key", "")) <= 255:
            return "dedup_key"
        match event.get("event_action"):
            case "trigger":
                return _payload(event.get("payload", {})) or _links(event.get("links", []))
            case "acknowledge" | "resolve":
                return None
            case _:
                return "event_action"

    def invalid(self, request: Request, complaint: str) -> Reply:
        return json_reply(400, {"status": "invalid event", "message": "Event object is invalid", "errors": [complaint]})

    def accept(self, request: Request) -> Reply:
        event = request.json
        key, action = event["dedup_key"], event["event_action"]
        is_open = self.alerts.get(key) in {"triggered", "acknowledged"}
        if action == "trigger":
            self.triggers.append(event)
            self.alerts[key] = self.alerts[key] if is_open else "triggered"
        elif is_open:
            self.alerts[key] = "acknowledged" if action == "acknowledge" else "resolved"
        return json_reply(202, {"status": "success", "message": "Event processed", "dedup_key": key})


def _payload(payload: dict[str, Any]) -> str | None:
    if not set(payload) >= _REQUIRED or not set(payload) <= _PAYLOAD:
        return f"payload has {set(payload)}"
    if not 1 <= len(payload["summary"]) <= 1024 or not payload["source"]:
        return "payload.summary or payload.source"
    if payload["severity"] not in {"critical", "error", "warning", "info"}:
        return "payload.severity"
    if not _TIME.fullmatch(payload.get("timestamp", "2026-11-22T00:00:00Z")):
        return "payload.timestamp"
    texts = (payload.get(key, "") for key in ("component", "group", "class"))
    return None if all(isinstance(text, str) for text in texts) else "payload: not text"


def _links(links: list[dict[str, Any]]) -> str | None:
    return None if all("://" in link.get("href", "") and set(link) <= {"href", "text"} for link in links) else "links"
