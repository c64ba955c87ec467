"""What the family of Prometheus shares: which labels and annotations say how bad an alert is and what it is called."""

from producers.sources.fields import title
from producers.sources.severity import severity_of
from schemas.vocabulary import Severity


def severity_of_labels(labels: dict[str, str]) -> Severity:
    """Return the severity that the label ``severity`` says, else ``priority``."""
    return severity_of(labels.get("severity") or labels.get("priority", ""))


def title_of(labels: dict[str, str], annotations: dict[str, str]) -> str:
    """Return the annotation ``summary`` or ``title``, else the alert's name. A resolved alert may have lost the first two."""
    return title(annotations.get("summary", ""), annotations.get("title", ""), labels.get("alertname", ""))
