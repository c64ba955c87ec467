"""Every monitoring system that Tocsin understands: one line each, nothing is found by scanning."""

from producers.sources import alertmanager, generic, grafana, pagerduty_events, pingdom
from producers.sources.source import SourceKind

KINDS: tuple[SourceKind, ...] = (
    alertmanager.KIND,
    grafana.KIND,
    pingdom.KIND,
    generic.KIND,
    pagerduty_events.KIND,
)
KIND_OF_NAME: dict[str, SourceKind] = {kind.name: kind for kind in KINDS}
