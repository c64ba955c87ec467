"""A receiver that was written for Statuspage's webhooks: it knows the keys of a real one (2017, as Zulip recorded it) and no others."""

from datetime import datetime
from typing import Any

from tests.fakes.vendors.http import Reply, Request

HOOK = "/hooks/statuspage"
SHAPE: dict[str, Any] = {
    "meta": {"unsubscribe": "", "documentation": "", "generated_at": "t"},
    "page": {"id": "c", "status_indicator": "", "status_description": ""},
    "incident": {
        "name": "", "status": "", "created_at": "t", "updated_at": "t", "monitoring_at": "t?", "resolved_at": "t?", "impact": "",
        "shortlink": "", "postmortem_ignored": False, "postmortem_body": "?", "postmortem_body_last_updated_at": "t?",
        "postmortem_published_at": "t?", "postmortem_notified_subscribers": False, "postmortem_notified_twitter": False,
        "backfilled": False, "scheduled_for": "t?", "scheduled_until": "t?", "scheduled_remind_prior": False,
        "scheduled_reminded_at": "t?", "impact_override": "?", "scheduled_auto_in_progress": False,
        "scheduled_auto_completed": False, "id": "c", "page_id": "c",
        "incident_updates": [
            {
                "status": "", "body": "", "created_at": "t", "wants_twitter_update": False, "twitter_updated_at": "t?",
                "updated_at": "t", "display_at": "t",
                "affected_components": [{"code": "c", "name": "", "old_status": "", "new_status": ""}],
                "custom_tweet": "?", "deliver_notifications": True, "id": "c", "incident_id": "c",
            }
        ],
        "components": [
            {
                "status": "", "name": "", "created_at": "t", "updated_at": "t", "position": 1, "description": "?",
                "showcase": False, "id": "c", "page_id": "c", "group_id": "?",
            }
        ],
    },
}  # fmt: skip
"""Texts stand for their kinds: ``t`` a time, ``c`` a code, a question mark for what may be null."""
_NOBODY = [{"name": "No components were affected by this update."}]


class StatuspageReceiver:
    """Takes ``incidents`` as Statuspage tells of them."""

    def __init__(self) -> None:
        self.incidents: list[dict[str, Any]] = []

    def complaint(self, request: Request) -> str | None:
        if (request.method, request.target) != ("POST", HOOK) or request.headers["content-type"] != "application/json":
            return "expected a POST of application/json"
        return mismatch(request.json, SHAPE)

    def invalid(self, request: Request, complaint: str) -> Reply:
        return Reply(400, body=complaint.encode())

    def accept(self, request: Request) -> Reply:
        self.incidents.append(request.json["incident"])
        return Reply(200, body=b"ok")


def mismatch(value: Any, shape: Any, at: str = "") -> str | None:
    """Return where a value is not of this shape."""
    if at.endswith(".affected_components") and value == _NOBODY:
        return None
    match shape:
        case dict():
            if not isinstance(value, dict) or set(value) != set(shape):
                return f"{at}: {sorted(set(value) ^ set(shape)) if isinstance(value, dict) else value}"
            return next(filter(None, (mismatch(value[key], shape[key], f"{at}.{key}") for key in shape)), None)
        case list():
            found = (
                (mismatch(one, shape[0], at) for one in value) if isinstance(value, list) else iter([f"{at}: no list"])
            )
            return next(filter(None, found), None)
        case str():
            return None if _is_text(value, shape) else f"{at}: {value}"
        case _:
            return None if type(value) is type(shape) else f"{at}: {value}"


def _is_text(value: Any, kind: str) -> bool:
    if value is None:
        return kind.endswith("?")
    if not isinstance(value, str):
        return False
    if kind.startswith("t"):
        return value[19] == "." and datetime.fromisoformat(value).tzinfo is not None
    return len(value) == 12 and value.isalnum() and value == value.lower() if kind == "c" else True
