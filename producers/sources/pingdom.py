"""Reads Pingdom's webhook: one check a body, uptime and transaction checks. Reads nothing of ``check_params`` but the host.

Format: https://www.pingdom.com/resources/webhooks/. ``check_params`` may hold credentials (headers, URLs).
"""

from producers.sources.fields import Json, first_text, string_map, text, title
from producers.sources.identity import instance_key
from producers.sources.reading import Reading, as_object
from producers.sources.severity import severity_of
from producers.sources.source import Alert, Parsed, RawRequest, SourceKind
from schemas.vocabulary import AlertStatus, Severity

_FIRING = frozenset({"DOWN", "FAILING", "FAILURE", "FAILED"})
_RESOLVED = frozenset({"UP", "SUCCESS", "SUCCESSFUL", "OK"})
_SAYS_NOTHING = frozenset({"UNCONFIRMED_DOWN", "UNKNOWN", "PAUSED"})
_IMPORTANCE = {"HIGH": Severity.CRITICAL, "LOW": Severity.WARNING}
_TAGS = 100


def parse(request: RawRequest) -> Parsed:
    """Return the alert of a check that changed its state."""
    reading = Reading(request)
    body = reading.json_object()
    if body is not None:
        reading.take(_read_check(body, reading))
    return reading.parsed()


def _read_check(body: Json, reading: Reading) -> Alert | None:
    check = text(body.get("check_id")).strip()
    state = text(body.get("current_state")).strip().upper()
    if not check:
        reading.refuse_all("check_id is missing")
    elif state in _SAYS_NOTHING:
        reading.ignored += 1
    elif state in _FIRING:
        return _alert(body, check, AlertStatus.FIRING, reading)
    elif state in _RESOLVED:
        return _alert(body, check, AlertStatus.RESOLVED, reading)
    else:
        reading.refuse_all("current_state is not known")
    return None


def _alert(body: Json, check: str, status: AlertStatus, reading: Reading) -> Alert:
    importance = text(body.get("importance_level")).strip().upper()  # absent in older bodies
    changed_at = reading.time(body, "state_changed_timestamp", "state_changed_utc_time")
    firing = status is AlertStatus.FIRING
    return Alert(
        instance_key(check),
        status,
        _IMPORTANCE.get(importance) or severity_of(importance),
        changed_at if firing else None,
        None if firing else changed_at,
        None,
        title(text(body.get("check_name")), f"check {check}"),
        string_map(_labels(body, check), "labels", reading.warn),
        string_map(_annotations(body), "annotations", reading.warn),
        "",
    )


def _labels(body: Json, check: str) -> Json:
    labels: Json = {
        "check_id": check,
        "check_name": body.get("check_name"),
        "check_type": body.get("check_type"),
        "hostname": as_object(body.get("check_params")).get("hostname"),
    }
    tags = body.get("tags")
    for tag in tags[:_TAGS] if isinstance(tags, list) else ():
        labels[f"tag_{text(tag)}"] = "true"
    return labels


def _annotations(body: Json) -> Json:
    said = {name: first_text(body, (name,)) for name in ("description", "long_description", "custom_message")}
    seen = {name: first_text(as_object(body.get(name)), ("location",)) for name in ("first_probe", "second_probe")}
    return {name: value for name, value in (said | seen).items() if value}


KIND = SourceKind("pingdom", "Pingdom", "sources.md#pingdom", parse)
