"""Bodies as Alertmanager 0.25 posts them to a webhook receiver (version 4), about alerts of an invented shop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

_NEVER = "0001-01-01T00:00:00Z"


def written(at: datetime) -> str:
    """Return a time with nanoseconds and Z, as Go writes it."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}123Z"


@dataclass(frozen=True)
class Alert:
    """One alert instance: it fires until ``ended``. Its fingerprint is a function of its labels."""

    labels: Mapping[str, str]
    started: datetime
    ended: datetime | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """16 hex digits, the same for the same labels."""
        return sha256(repr(sorted(self.labels.items())).encode()).hexdigest()[:16]

    @property
    def status(self) -> str:
        """What Alertmanager says of it."""
        return "firing" if self.ended is None else "resolved"

    def resolved(self, ended: datetime | None = None) -> "Alert":
        """Return the same alert as over."""
        return replace(self, ended=ended or datetime.now(UTC))

    def said_again(self, value: str) -> "Alert":
        """Return the same alert with another annotation, as every evaluation of a rule brings one."""
        return replace(self, annotations={**self.annotations, "value": value})


def alert(
    service: str, region: str | None = None, severity: str = "critical", *, name: str = "", started: datetime | None = None, **labels: str
) -> Alert:  # fmt: skip
    """Return a firing alert on a service, begun a second ago."""
    named = {"alertname": name or f"{service.capitalize()}Errors", "service": service, "severity": severity, **labels}
    if region is not None:
        named["region"] = region
    began = started or datetime.now(UTC) - timedelta(seconds=1)
    return Alert(
        named, began, annotations={"summary": f"{service} answers with errors: überlastet, see the runbook 🚨"}
    )


def body(alerts: Sequence[Alert]) -> dict[str, Any]:
    """Return the notification of one group of alerts."""
    common = set.intersection(*(set(one.labels.items()) for one in alerts)) if alerts else set()
    name = alerts[0].labels["alertname"] if alerts else ""
    return {
        "receiver": "tocsin",
        "status": "firing" if any(one.ended is None for one in alerts) else "resolved",
        "alerts": [
            {
                "status": one.status,
                "labels": dict(one.labels),
                "annotations": dict(one.annotations),
                "startsAt": written(one.started),
                "endsAt": _NEVER if one.ended is None else written(one.ended),
                "generatorURL": "http://prometheus.example/graph?g0.expr=errors%3E0&g0.tab=1",
                "fingerprint": one.fingerprint,
            }
            for one in alerts
        ],
        "groupLabels": {"alertname": name},
        "commonLabels": dict(common),
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093",
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{name}"}}',
        "truncatedAlerts": 0,
    }
