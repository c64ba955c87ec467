"""The exact keys, in order, and the types of every object of the Statuspage v2 API, checked as a strict client would."""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

Check = Callable[[Any], bool]

INDICATORS = {"none", "minor", "major", "critical", "maintenance"}
COMPONENT_STATUSES = {"operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance"}
INCIDENT_STATUSES = {"investigating", "identified", "monitoring", "resolved", "postmortem"}
MAINTENANCE_STATUSES = {"scheduled", "in_progress", "verifying", "completed"}


def code(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[a-z0-9]{12}", value) is not None


def text(value: Any) -> bool:
    return isinstance(value, str)


def url(value: Any) -> bool:
    return isinstance(value, str) and urlsplit(value).scheme in {"http", "https"} and bool(urlsplit(value).hostname)


def time(value: Any) -> bool:
    """Milliseconds and an offset, always; aRez slices them by position, others want RFC 3339."""
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)"
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None and bool(datetime.fromisoformat(value))


def day(value: Any) -> bool:
    return isinstance(value, str) and date.fromisoformat(value).isoformat() == value


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def position(value: Any) -> bool:
    return type(value) is int and value >= 1


def exactly(expected: Any) -> Check:
    return lambda value: value is expected


def one_of(words: set[str]) -> Check:
    return lambda value: value in words


def null_or(check: Check) -> Check:
    return lambda value: value is None or check(value)


def many(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(check(each) for each in value)


def shape(**fields: Check) -> Check:
    """Return a check for an object with exactly these keys in exactly this order."""

    def check(value: Any) -> bool:
        assert list(value) == list(fields)
        for key, own in fields.items():
            assert own(value[key]), f"{key}={value[key]!r}"
        return True

    return check


PAGE = {"id": code, "name": text, "url": url, "time_zone": text, "updated_at": time}
STATUS = {"indicator": one_of(INDICATORS), "description": text}
COMPONENT = {
    "id": code, "name": text, "status": one_of(COMPONENT_STATUSES), "created_at": time, "updated_at": time,
    "position": position, "description": null_or(text), "showcase": flag, "start_date": null_or(day),
    "group_id": null_or(code), "page_id": code, "group": flag, "only_show_if_degraded": flag,
}  # fmt: skip
AFFECTED = {
    "code": code, "name": text, "old_status": one_of(COMPONENT_STATUSES), "new_status": one_of(COMPONENT_STATUSES),
}  # fmt: skip


def component(value: Any) -> bool:
    extra = {"components": many(code)} if value["group"] else {}
    return shape(**COMPONENT, **extra)(value)


def update(statuses: set[str]) -> Check:
    return shape(
        id=code, status=one_of(statuses), body=text, incident_id=code, created_at=time, updated_at=time, display_at=time,
        affected_components=null_or(lambda value: bool(value) and many(shape(**AFFECTED))(value)),
        deliver_notifications=exactly(True), custom_tweet=exactly(None), tweet_id=exactly(None),
    )  # fmt: skip


def incident_fields(statuses: set[str], impacts: set[str]) -> dict[str, Check]:
    return {
        "id": code, "name": text, "status": one_of(statuses), "created_at": time, "updated_at": time,
        "monitoring_at": null_or(time), "resolved_at": null_or(time), "impact": one_of(impacts), "shortlink": url,
        "started_at": time, "page_id": code,
        "incident_updates": lambda value: bool(value) and many(update(statuses))(value),
        "components": many(component),
    }  # fmt: skip


INCIDENT = incident_fields(INCIDENT_STATUSES, {"none", "minor", "major", "critical"})
MAINTENANCE = incident_fields(MAINTENANCE_STATUSES, {"maintenance"}) | {"scheduled_for": time, "scheduled_until": time}

_page = {"page": shape(**PAGE)}
_incidents = {"incidents": many(shape(**INCIDENT))}
_maintenances = {"scheduled_maintenances": many(shape(**MAINTENANCE))}
_components = {"components": many(component)}
_status = {"status": shape(**STATUS)}

BODIES: dict[str, Check] = {
    "/api/v2/summary.json": shape(**_page, **_status, **_components, **_incidents, **_maintenances),
    "/api/v2/status.json": shape(**_page, **_status),
    "/api/v2/components.json": shape(**_page, **_components),
    "/api/v2/incidents.json": shape(**_page, **_incidents),
    "/api/v2/incidents/unresolved.json": shape(**_page, **_incidents),
    "/api/v2/scheduled-maintenances.json": shape(**_page, **_maintenances),
    "/api/v2/scheduled-maintenances/upcoming.json": shape(**_page, **_maintenances),
    "/api/v2/scheduled-maintenances/active.json": shape(**_page, **_maintenances),
}
