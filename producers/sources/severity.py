"""Maps the words that monitors have for the weight of an alert onto ours. Knows words, not bodies."""

from schemas.vocabulary import Severity

# The words of Prometheus users, Grafana, Datadog, New Relic, Site24x7, Checkly, PagerDuty, Opsgenie, Azure, Google Cloud,
# Sentry, Zabbix, Nagios, Dynatrace, VictorOps and Statuspage that mean the same wherever they stand. Bare numbers do
# not (1 is Opsgenie's worst and nearly Zabbix's least): they are unknown unless a kind knows better.
_WORDS: dict[Severity, str] = {
    Severity.CRITICAL: "critical crit fatal emergency emerg panic alert page disaster blocker down unreachable failure failing "
    "availability p0 p1 sev0",
    Severity.ERROR: "error err high major p2 sev1",
    Severity.WARNING: "warning warn average medium moderate minor degraded trouble performance resource "
    "resource_contention p3 sev2",
    Severity.INFO: "info information informational notice low none ok up success debug trace verbose maintenance "
    "p4 p5 sev3 sev4",
}
SEVERITY_OF_WORD: dict[str, Severity] = {word: severity for severity, words in _WORDS.items() for word in words.split()}


def severity_of(word: str) -> Severity:
    """Return the severity that ``word`` means in any case and spacing; ``unknown`` for a word that no table has."""
    found = SEVERITY_OF_WORD.get(word)
    return found or SEVERITY_OF_WORD.get(word.strip().lower(), Severity.UNKNOWN)
