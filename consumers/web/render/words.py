"""The words, symbols and tones that the page uses for the closed sets of the domain; one table for each."""

from datetime import timedelta

import humanize

from schemas.vocabulary import CellStatus

STATUS: dict[str, str] = {
    CellStatus.OPERATIONAL: "Operational",
    CellStatus.DEGRADED: "Degraded performance",
    CellStatus.PARTIAL_OUTAGE: "Partial outage",
    CellStatus.MAJOR_OUTAGE: "Major outage",
    CellStatus.MAINTENANCE: "Under maintenance",
}
STATUS_TONE: dict[str, str] = {
    CellStatus.OPERATIONAL: "ok",
    CellStatus.DEGRADED: "minor",
    CellStatus.PARTIAL_OUTAGE: "major",
    CellStatus.MAJOR_OUTAGE: "critical",
    CellStatus.MAINTENANCE: "maintenance",
}
"""A tone is a colour and a symbol together (``static/page.css``, ``templates/symbols.svg``)."""

STAGE: dict[str, str] = {
    "investigating": "Investigating",
    "identified": "Identified",
    "monitoring": "Monitoring",
    "resolved": "Resolved",
    "postmortem": "Post-mortem",
    "scheduled": "Scheduled",
    "in_progress": "In progress",
    "verifying": "Verifying",
    "completed": "Completed",
}
IMPACT: dict[str, str] = {
    "none": "No impact",
    "minor": "Minor impact",
    "major": "Major impact",
    "critical": "Critical impact",
    "maintenance": "Maintenance",
}
IMPACT_TONE: dict[str, str] = {
    "none": "ok",
    "minor": "minor",
    "major": "major",
    "critical": "critical",
    "maintenance": "maintenance",
}
"""The tone of an impact, and of the page's indicator, which has the same words."""

IMPACT_CHOICE: dict[str, str] = {
    "none": "Every incident",
    "minor": "Minor impact or worse",
    "major": "Major impact or worse",
    "critical": "Critical impact only",
}
"""What the form offers for ``min_impact``."""


def duration(seconds: int) -> str:
    """Return a duration for people, in whole minutes and at least one: ``1 hour and 20 minutes``."""
    minutes = max(1, round(seconds / 60))
    return humanize.precisedelta(timedelta(minutes=minutes), minimum_unit="minutes", format="%d")
