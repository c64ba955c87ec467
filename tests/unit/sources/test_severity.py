"""The words of every monitor for the weight of an alert."""

import pytest

from producers.sources.severity import severity_of

VOCABULARIES = {
    "prometheus": "critical=critical page=critical error=error warning=warning info=info none=info",
    "grafana": "Critical=critical High=error Medium=warning Low=info",
    "datadog": "P1=critical P2=error P3=warning P4=info P5=info error=error warning=warning success=info info=info",
    "newrelic": "CRITICAL=critical HIGH=error MEDIUM=warning LOW=info WARN=warning INFO=info",
    "site24x7": "DOWN=critical CRITICAL=critical TROUBLE=warning UP=info",
    "checkly": "failure=critical degraded=warning",
    "pagerduty": "critical=critical error=error warning=warning info=info",
    "azure": "Sev0=critical Sev1=error Sev2=warning Sev3=info Sev4=info",
    "google": "Critical=critical Error=error Warning=warning",
    "sentry": "fatal=critical error=error warning=warning info=info debug=info",
    "zabbix": "Disaster=critical High=error Average=warning Warning=warning Information=info",
    "nagios": "CRITICAL=critical WARNING=warning OK=info UNKNOWN=unknown DOWN=critical UNREACHABLE=critical",
    "dynatrace": "AVAILABILITY=critical ERROR=error PERFORMANCE=warning RESOURCE=warning CUSTOM=unknown",
    "victorops": "CRITICAL=critical WARNING=warning INFO=info",
    "statuspage": "critical=critical major=error minor=warning none=info maintenance=info",
    "nonsense": "blue=unknown 1=unknown 5=unknown ¡=unknown",
}
PAIRS = [(monitor, *pair.split("=")) for monitor, words in VOCABULARIES.items() for pair in words.split()]


@pytest.mark.parametrize(("monitor", "word", "severity"), PAIRS)
def test_word(monitor: str, word: str, severity: str) -> None:
    assert {severity_of(form) for form in (word, word.lower(), word.upper(), f" {word}\n")} == {severity}


@pytest.mark.parametrize("word", ["", " ", "No severity", "Not classified"])
def test_no_word_is_unknown(word: str) -> None:
    assert severity_of(word) == "unknown"
