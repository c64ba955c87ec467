"""Reads Grafana's webhook: unified alerting (version "1"), and hands the shape of dashboards up to Grafana 8 on.

Format: https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
"""

import msgspec

from producers.sources import grafana_legacy
from producers.sources.alertmanager import read_alert, warn_of_truncation
from producers.sources.fields import Json, http_url, title
from producers.sources.reading import Reading, as_object
from producers.sources.source import Alert, Parsed, RawRequest, SourceKind
from schemas.vocabulary import AlertStatus

STATE_REASON = "grafana_state_reason"
_BLIND = {"DatasourceNoData": "no data", "DatasourceError": "query failed"}


def parse(request: RawRequest) -> Parsed:
    """Return the alerts of a notification, of whichever generation."""
    reading = Reading(request)
    body = reading.json_object()
    if body is None:
        return reading.parsed()
    if "alerts" not in body and grafana_legacy.speaks(body):
        reading.take(grafana_legacy.read_alert(body, reading))
        return reading.parsed()
    for item in reading.members(body, "alerts"):
        reading.take(_read_alert(item, body, reading))
    warn_of_truncation(body, reading)
    return reading.parsed()


def _read_alert(item: object, body: Json, reading: Reading) -> Alert | None:
    alert = read_alert(item, reading)
    if alert is None:
        return None
    of_item = as_object(item)
    return msgspec.structs.replace(
        alert,
        title=_title(alert),
        # In a test notification generatorURL is "?orgId=1", hence the others.
        url=http_url(alert.url or None, of_item.get("panelURL"), of_item.get("dashboardURL"), body.get("externalURL")),
        test=_is_test(alert),
        inconclusive=_is_inconclusive(alert),
    )


def _title(alert: Alert) -> str:
    """Return the rule's name and what befell it where the query gave nothing: the alert's own name is the same for all."""
    blind = _BLIND.get(alert.labels.get("alertname", ""))
    rule = alert.labels.get("rulename", "")
    return title(f"{rule}: {blind}") if blind and rule else alert.title


def _is_test(alert: Alert) -> bool:
    return alert.labels.get("alertname") == "TestAlert" and alert.labels.get("instance") == "Grafana"


def _is_inconclusive(alert: Alert) -> bool:
    """Whether a resolved alert is no recovery: Grafana names a reason (MissingSeries, NoData, Paused, ...) only then."""
    return alert.status is AlertStatus.RESOLVED and bool(alert.annotations.get(STATE_REASON))


KIND = SourceKind("grafana", "Grafana", "sources.md#grafana", parse)
