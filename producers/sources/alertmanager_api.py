"""Reads what Prometheus posts to ``/api/v2/alerts`` of an Alertmanager; the firing alert's end is a lease.

Semantics after api.go and alert.go of Alertmanager. Where they take "now" for a missing start, the start stays unknown
here: Prometheus repeats a firing alert each minute, and a start that moves would be a new episode each time.
"""

from producers.sources.fields import Json, forced, http_url, string_map
from producers.sources.identity import label_fingerprint
from producers.sources.labelled import severity_of_labels, title_of
from producers.sources.reading import Reading
from producers.sources.source import Alert, Parsed, RawRequest
from producers.sources.times import read_time
from schemas.events import Micros
from schemas.vocabulary import AlertStatus

PATH = "api/v2/alerts"
RESOLVE_TIMEOUT = 5 * 60 * 1_000_000
"""How long an alert without an end lasts unless it is repeated, in microseconds; Alertmanager's default."""


def parse(request: RawRequest) -> Parsed:
    """Return the alerts of a batch."""
    reading = Reading(request)
    body = reading.value()
    if isinstance(body, list):
        for item in reading.within_bounds(body):
            reading.take(_read_alert(item, reading))
    elif body is not None:
        reading.refuse_all("the body is not a list")
    return reading.parsed()


def _read_alert(item: object, reading: Reading) -> Alert | None:
    if not isinstance(item, dict):
        reading.refuse("an alert is not an object", item)
        return None
    labels, whole = _read_labels(item.get("labels"), reading)
    if not labels:
        reading.refuse("an alert's labels are not an object, or empty", item)
        return None
    try:
        starts_at, ends_at = read_time(item.get("startsAt")), read_time(item.get("endsAt"))
    except ValueError:
        reading.refuse("startsAt or endsAt is not a time", item)
        return None
    if starts_at is not None and ends_at is not None and ends_at < starts_at:
        reading.refuse("endsAt lies before startsAt", item)
        return None
    return _alert(item, label_fingerprint(whole), labels, starts_at, ends_at, reading)


def _read_labels(raw: object, reading: Reading) -> tuple[dict[str, str], dict[str, str]]:
    """Return the labels within the bounds, and uncut for the fingerprint; empty ones are no labels."""
    if not isinstance(raw, dict):
        return {}, {}
    known = string_map(raw, "labels", reading.warn)
    whole = known if known is raw else forced(raw)
    if "" in whole.values():
        return _without_empty(known), _without_empty(whole)
    return known, whole


def _without_empty(labels: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if value}


def _alert(
    item: Json,
    fingerprint: str,
    labels: dict[str, str],
    starts_at: Micros | None,
    ends_at: Micros | None,
    reading: Reading,
) -> Alert:
    now = reading.request.received_at
    resolved = ends_at is not None and ends_at <= now
    annotations = string_map(item.get("annotations"), "annotations", reading.warn)
    return Alert(
        fingerprint,
        AlertStatus.RESOLVED if resolved else AlertStatus.FIRING,
        severity_of_labels(labels),
        starts_at,
        ends_at if resolved else None,
        None if resolved else ends_at or now + RESOLVE_TIMEOUT,
        title_of(labels, annotations),
        labels,
        annotations,
        http_url(item.get("generatorURL")),
    )
