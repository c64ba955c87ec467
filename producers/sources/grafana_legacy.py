"""Reads the webhook of Grafana's dashboard alerting (up to Grafana 8): one rule a body, no times, no fingerprint."""

from producers.sources.fields import Json, first_text, http_url, string_map, text, title
from producers.sources.identity import instance_key
from producers.sources.labelled import severity_of_labels
from producers.sources.reading import Reading, as_object
from producers.sources.source import Alert
from schemas.vocabulary import AlertStatus

_STATUS = {"alerting": AlertStatus.FIRING, "ok": AlertStatus.RESOLVED}
_SAYS_NOTHING = frozenset({"no_data", "paused", "pending", "unknown"})


def speaks(body: Json) -> bool:
    """Whether the body has the older shape."""
    return "ruleId" in body or "ruleName" in body or "evalMatches" in body


def read_alert(body: Json, reading: Reading) -> Alert | None:
    """Return the body's alert; None where the state says nothing (counted), or after noting a problem."""
    state = text(body.get("state")).strip().lower()
    rule, name = text(body.get("ruleId")), text(body.get("ruleName"))
    if state in _SAYS_NOTHING:
        reading.ignored += 1
        return None
    if state not in _STATUS or not (rule or name):
        reading.refuse_all(
            "neither a state that is known nor a rule" if not (rule or name) else "the state is not known"
        )
        return None
    labels = _labels(body, name, reading)
    return Alert(
        instance_key(f"rule-{rule or name}"),
        _STATUS[state],
        severity_of_labels(labels),
        None,
        None,
        None,
        title(name, text(body.get("title"))),
        labels,
        string_map({"message": first_text(body, ("message", "title"))}, "annotations", reading.warn),
        http_url(body.get("ruleUrl")),
        # The button "Send test" makes a rule that has no id, or this name.
        test=rule == "0" or name == "Test notification",
    )


def _labels(body: Json, name: str, reading: Reading) -> dict[str, str]:
    """Return the rule's tags, and those that all its matches share; an ``ok`` has no matches."""
    matches = body.get("evalMatches")
    tags = [as_object(as_object(match).get("tags")) for match in matches] if isinstance(matches, list) else []
    shared = (
        {key: value for key, value in tags[0].items() if all(key in other and other[key] == value for other in tags)}
        if tags
        else {}
    )
    return string_map({**shared, **as_object(body.get("tags")), "alertname": name}, "labels", reading.warn)
