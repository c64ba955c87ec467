"""Reads Tocsin's own simple shape, for scripts and for monitors whose body is a template.

One object, a list of them, or ``{"alerts": [...]}``; docs/sources.md describes the fields and the words it takes.
"""

from collections.abc import Iterator

from producers.sources.fields import Json, bounded, first_text, forced, http_url, string_map, text, title
from producers.sources.identity import digest, instance_key
from producers.sources.reading import Reading
from producers.sources.severity import severity_of
from producers.sources.source import Alert, Parsed, RawRequest, SourceKind
from schemas.events import Micros
from schemas.vocabulary import AlertStatus

ID = ("fingerprint", "id", "key", "dedup_key", "alert_id")
TITLE = ("title", "name", "alertname", "summary")
STATUS = ("status", "state")
SEVERITY = ("severity", "priority", "level")
DESCRIPTION = ("description", "message", "text")
STARTS = ("starts_at", "startsAt", "started_at")
ENDS = ("ends_at", "endsAt", "ended_at", "resolved_at")
URL = ("url", "link", "generatorURL")
PLACE = ("component", "region", "service", "environment")

_WORDS: dict[AlertStatus | None, str] = {
    AlertStatus.FIRING: "firing fire open opened active alert alerting problem trigger triggered down fail failed failing failure "
    "unhealthy",
    AlertStatus.RESOLVED: "resolved resolve ok okay up closed close clear cleared recovered recovery normal healthy pass passing "
    "success inactive",
    None: "acknowledge acknowledged ack pending paused suppressed",  # says nothing about the alert
}
STATUS_OF_WORD: dict[str, AlertStatus | None] = {
    word: status for status, words in _WORDS.items() for word in words.split()
}


def parse(request: RawRequest) -> Parsed:
    """Return the alerts of a body."""
    reading = Reading(request)
    for item in _items(reading.value(), reading):
        reading.take(_read_alert(item, reading))
    return reading.parsed()


def _items(body: object, reading: Reading) -> Iterator[object]:
    if isinstance(body, list):
        yield from reading.within_bounds(body)
    elif isinstance(body, dict) and "alerts" in body:
        yield from reading.members(body, "alerts")
    elif isinstance(body, dict):
        yield body
    elif body is not None:
        reading.refuse_all("the body is neither an object nor a list")


def _read_alert(item: object, reading: Reading) -> Alert | None:
    if not isinstance(item, dict):
        reading.refuse("an alert is not an object", item)
        return None
    labels = _labels(item, reading)
    if not (labels or first_text(item, ID + TITLE)):
        reading.refuse("an alert has neither id nor title nor labels", item)
        return None
    ends_at = reading.time(item, *ENDS)
    word = first_text(item, STATUS).lower()
    if not word:
        over = ends_at is not None and ends_at <= reading.request.received_at
        return _alert(item, AlertStatus.RESOLVED if over else AlertStatus.FIRING, labels, ends_at, reading)
    if word not in STATUS_OF_WORD:
        reading.refuse("the status is not known", item)
        return None
    status = STATUS_OF_WORD[word]
    if status is None:
        reading.ignored += 1
        return None
    return _alert(item, status, labels, ends_at, reading)


def _alert(item: Json, status: AlertStatus, labels: dict[str, str], ends_at: Micros | None, reading: Reading) -> Alert:
    key, name = first_text(item, ID), first_text(item, TITLE) or labels.get("alertname", "")
    return Alert(
        instance_key(key) if key else _derived_key(name, labels),
        status,
        severity_of(first_text(item, SEVERITY) or labels.get("severity", "")),
        reading.time(item, *STARTS),
        ends_at if status is AlertStatus.RESOLVED else None,
        None,
        title(name, key),
        bounded(labels, "labels", reading.warn),
        _annotations(item, reading),
        http_url(*(item.get(field) for field in URL)),
        test=text(item.get("test")).lower() == "true",
    )


def _derived_key(name: str, labels: dict[str, str]) -> str:
    """Return the identity of an alert without an id: texts, values and times differ from message to message."""
    return digest((name, *(part for pair in sorted(labels.items()) for part in pair)))


def _labels(item: Json, reading: Reading) -> dict[str, str]:
    raw = item.get("labels")
    if raw is not None and not isinstance(raw, dict):
        reading.warn("labels is not an object and was dropped")
    places = {name: place for name in PLACE if (place := first_text(item, (name,)))}
    return places | (forced(raw) if isinstance(raw, dict) else {})


def _annotations(item: Json, reading: Reading) -> dict[str, str]:
    annotations = string_map(item.get("annotations"), "annotations", reading.warn)
    description = first_text(item, DESCRIPTION)
    if not description or "description" in annotations:
        return annotations
    return bounded({"description": description, **annotations}, "annotations", reading.warn)


KIND = SourceKind("generic", "Anything that can post JSON", "sources.md#generic", parse)
