"""Reads Alertmanager's webhook (version "4"): each alert's own status, never the group's.

Format: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config and template.go of Alertmanager.
"""

from producers.sources import alertmanager_api
from producers.sources.fields import Json, forced, http_url, string_map, text
from producers.sources.identity import instance_key, label_fingerprint
from producers.sources.labelled import severity_of_labels, title_of
from producers.sources.reading import Reading
from producers.sources.source import Alert, Parsed, RawRequest, SourceKind
from schemas.events import Micros
from schemas.vocabulary import AlertStatus


def parse(request: RawRequest) -> Parsed:
    """Return the alerts of a webhook."""
    reading = Reading(request)
    body = reading.json_object()
    if body is not None:
        for item in reading.members(body, "alerts"):
            reading.take(read_alert(item, reading))
        warn_of_truncation(body, reading)
    return reading.parsed()


def read_alert(item: object, reading: Reading) -> Alert | None:
    """Return one member of ``alerts``, in the shape that Alertmanager and Grafana share; None after noting a problem."""
    if not isinstance(item, dict):
        reading.refuse("an alert is not an object", item)
        return None
    raw_labels = item.get("labels")
    fingerprint = text(item.get("fingerprint"))
    if not isinstance(raw_labels, dict) or not (raw_labels or fingerprint):
        reading.refuse("an alert's labels are not an object, or empty", item)
        return None
    ends_at = reading.time(item, "endsAt")
    status = read_status(item, ends_at, reading)
    if status is None:
        return None
    warn = reading.warn
    labels = string_map(raw_labels, "labels", warn)
    annotations = string_map(item.get("annotations"), "annotations", warn)
    return Alert(
        instance_key(fingerprint) if fingerprint else label_fingerprint(forced(raw_labels)),
        status,
        severity_of_labels(labels),
        reading.time(item, "startsAt"),
        ends_at if status is AlertStatus.RESOLVED else None,
        None,
        title_of(labels, annotations),
        labels,
        annotations,
        http_url(item.get("generatorURL")),
    )


def read_status(item: Json, ends_at: Micros | None, reading: Reading) -> AlertStatus | None:
    """Return an alert's own status; where it names none, an end that has passed means resolved."""
    match item.get("status"):
        case "firing":
            return AlertStatus.FIRING
        case "resolved":
            return AlertStatus.RESOLVED
        case None | "":
            over = ends_at is not None and ends_at <= reading.request.received_at
            return AlertStatus.RESOLVED if over else AlertStatus.FIRING
        case _:
            reading.refuse("an alert's status is neither firing nor resolved", item)
            return None


def warn_of_truncation(body: Json, reading: Reading) -> None:
    """Warn of alerts that the sender's ``max_alerts`` cut off: it tells their number and never their names."""
    cut = body.get("truncatedAlerts")
    if isinstance(cut, int) and cut > 0:
        reading.warn(f"the sender cut {cut} alerts off this group (max_alerts); nothing else is known of them")


KIND = SourceKind(
    "alertmanager",
    "Prometheus Alertmanager, and Prometheus itself",
    "sources.md#alertmanager",
    parse,
    {alertmanager_api.PATH: alertmanager_api.parse},
)
