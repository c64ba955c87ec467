"""Reads PagerDuty's Events API v2 as its server would, and writes that server's answers.

Format and limits: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
"""

import msgspec

from producers.sources.body import UnreadableError, read_json
from producers.sources.fields import Json, first_text, http_url, string_map, text, title
from producers.sources.identity import digest
from producers.sources.reading import Reading, as_object
from producers.sources.severity import severity_of
from producers.sources.source import Alert, Parsed, RawRequest, SourceKind
from schemas.vocabulary import AlertStatus, Severity

MAX_DEDUP_KEY = 255
_SEVERITIES = frozenset({"critical", "error", "warning", "info"})
_LABELS = ("component", "group", "class", "source")


class Reply(msgspec.Struct, frozen=True):
    """An answer of the protocol: the HTTP status and its JSON body."""

    status: int
    body: bytes


class Enqueued(msgspec.Struct, frozen=True):
    """What an event said, and what to answer once that is durable."""

    parsed: Parsed
    reply: Reply


def routing_key(body: bytes) -> str | None:
    """Return the event's routing key, which is the token of one of our sources; None where there is none."""
    try:
        event = read_json(body)
    except UnreadableError:
        return None
    return first_text(as_object(event), ("routing_key",)) or None


def accepted(dedup_key: str) -> Reply:
    """Return the answer to an event that was taken."""
    return _reply(202, {"status": "success", "message": "Event processed", "dedup_key": dedup_key})


def invalid(*errors: str) -> Reply:
    """Return the answer to an event that cannot be taken."""
    return _reply(400, {"status": "invalid event", "message": "Event object is invalid", "errors": list(errors)})


def _reply(status: int, body: Json) -> Reply:
    return Reply(status, msgspec.json.encode(body))


def parse(request: RawRequest) -> Parsed:
    """Return the alert of an event."""
    return enqueue(request).parsed


def enqueue(request: RawRequest) -> Enqueued:
    """Return what the event says together with the protocol's answer to it."""
    reading = Reading(request)
    event = reading.json_object()
    if event is None:
        parsed = reading.parsed()
        return Enqueued(parsed, invalid(*(problem.reason for problem in parsed.problems)))
    errors = _errors(event)
    if errors:
        reading.refuse_all("; ".join(errors))
        return Enqueued(reading.parsed(), invalid(*errors))
    key = text(event.get("dedup_key"))
    key = key if key.strip() else _generated_key(event)
    if event.get("event_action") == "acknowledge":
        reading.ignored += 1  # who works on it is PagerDuty's business; the alert goes on
    else:
        reading.take(_alert(event, key, reading))
    return Enqueued(reading.parsed(), accepted(key))


def _errors(event: Json) -> list[str]:
    match event.get("event_action"):
        case "trigger":
            return _key_errors(event, required=False) + _payload_errors(event.get("payload"))
        case "acknowledge" | "resolve":
            return _key_errors(event, required=True)
        case _:
            return ["'event_action' is invalid (must be one of: trigger, acknowledge, resolve)"]


def _key_errors(event: Json, *, required: bool) -> list[str]:
    key = text(event.get("dedup_key"))
    if len(key) > MAX_DEDUP_KEY:
        return [f"Length of 'dedup_key' is incorrect (should be at most {MAX_DEDUP_KEY} characters)"]
    return [] if key.strip() or not required else ["'dedup_key' is missing or blank"]


def _payload_errors(payload: object) -> list[str]:
    if not isinstance(payload, dict):
        return ["'payload' is missing or not an object"]
    errors = [
        f"'payload.{name}' is missing or blank" for name in ("summary", "source") if not first_text(payload, (name,))
    ]
    if first_text(payload, ("severity",)).lower() not in _SEVERITIES:
        errors.append("'payload.severity' is invalid (must be one of: critical, error, warning, info)")
    return errors


def _generated_key(event: Json) -> str:
    """Return a key for a trigger that has none.

    PagerDuty's is random. This one depends on what the event is about, so that a request that is sent again because
    our answer was lost does not become a second alert.
    """
    payload = as_object(event.get("payload"))
    return digest(text(payload.get(name)) for name in ("source", "component", "group", "class", "summary"))


def _alert(event: Json, key: str, reading: Reading) -> Alert:
    payload = as_object(event.get("payload"))  # absent when resolving
    resolved = event.get("event_action") == "resolve"
    summary = first_text(payload, ("summary",))
    severity = first_text(payload, ("severity",))
    return Alert(
        key,
        AlertStatus.RESOLVED if resolved else AlertStatus.FIRING,
        severity_of(severity) if severity else Severity.UNKNOWN,
        # ``timestamp`` is the event's time, not the start: a repeated trigger has a new one and is the same alert.
        None,
        reading.time(payload, "timestamp") if resolved else None,
        None,
        title(summary),
        string_map(_labels(payload), "labels", reading.warn),
        string_map(_annotations(event, payload), "annotations", reading.warn),
        http_url(event.get("client_url"), *_links(event)),
    )


def _labels(payload: Json) -> Json:
    """Return the native fields that say what is affected, and the region, for which senders have only the details."""
    region = first_text(as_object(payload.get("custom_details")), ("region",))
    found = {name: first_text(payload, (name,)) for name in _LABELS} | {"region": region}
    return {name: value for name, value in found.items() if value}


def _annotations(event: Json, payload: Json) -> Json:
    said = {"summary": payload.get("summary"), "timestamp": payload.get("timestamp"), "client": event.get("client")}
    details = payload.get("custom_details")
    more = details if isinstance(details, dict) else {"custom_details": details or None}
    return more | {name: value for name, value in said.items() if value}


def _links(event: Json) -> list[object]:
    links = event.get("links")
    return [as_object(link).get("href") for link in links[:10]] if isinstance(links, list) else []


KIND = SourceKind("pagerduty_events", "Whatever speaks PagerDuty's Events API v2", "sources.md#pagerduty_events", parse)
