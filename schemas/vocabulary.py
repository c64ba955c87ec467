"""The closed sets of words that events use; DESIGN section 2 in code."""

from enum import StrEnum


class Severity(StrEnum):
    """What a monitor said about the weight of an alert."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    UNKNOWN = "unknown"


class AlertStatus(StrEnum):
    """What a monitor said about the state of an alert."""

    FIRING = "firing"
    RESOLVED = "resolved"


class CellStatus(StrEnum):
    """The status of a cell, a component, a group or a page."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded_performance"
    PARTIAL_OUTAGE = "partial_outage"
    MAJOR_OUTAGE = "major_outage"
    MAINTENANCE = "under_maintenance"


class IncidentStatus(StrEnum):
    """Where an incident stands in its life."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    POSTMORTEM = "postmortem"


class MaintenanceStatus(StrEnum):
    """Where a maintenance stands in its life."""

    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    VERIFYING = "verifying"
    COMPLETED = "completed"


class Impact(StrEnum):
    """How bad an incident is for those who use the component."""

    NONE = "none"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class Audience(StrEnum):
    """For whom something is, and whom a subscriber belongs to: everybody, or only those who work here."""

    PUBLIC = "public"
    INTERNAL = "internal"


class Publish(StrEnum):
    """How a rule's incident reaches the public."""

    AUTO = "auto"
    AFTER = "after"
    APPROVE = "approve"


class Kind(StrEnum):
    """What a notification is about; subscribers choose among the first two.

    A summary is made when several notifications go out as one message; it is never published nor planned.
    """

    INCIDENT = "incident"
    MAINTENANCE = "maintenance"
    REMINDER = "reminder"
    CONFIRMATION = "confirmation"
    SUMMARY = "summary"


class DigestEvery(StrEnum):
    """How often a subscriber gets one message that sums up what happened."""

    HOUR = "hour"
    DAY = "day"


class Suppression(StrEnum):
    """Why an address is not told any more.

    ``refused``: whoever was given a message would not have it for this address. ``bounced``: it was taken and came back, now or
    later. ``gone``: there is nothing any more. ``failing``: it failed too often. ``opted_out``: its owner wants no more, said to the
    provider (STOP). ``complained``: its owner reported what was sent as spam.
    """

    REFUSED = "refused"
    BOUNCED = "bounced"
    GONE = "gone"
    FAILING = "failing"
    OPTED_OUT = "opted_out"
    COMPLAINED = "complained"


class NotificationState(StrEnum):
    """Where a notification stands; every planned one ends in one of the last six."""

    PLANNED = "planned"
    CLAIMED = "claimed"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    SUPERSEDED = "superseded"
    IN_DOUBT = "in_doubt"


_SEVERITY_OF_STATUS = (
    CellStatus.OPERATIONAL,
    CellStatus.DEGRADED,
    CellStatus.PARTIAL_OUTAGE,
    CellStatus.MAJOR_OUTAGE,
)
STATUS_RANK: dict[CellStatus, int] = {status: rank for rank, status in enumerate(_SEVERITY_OF_STATUS)} | {
    # Maintenance masks whatever lies beneath it, yet an outage elsewhere outweighs it in a roll-up.
    CellStatus.MAINTENANCE: 0,
}
IMPACT_RANK: dict[Impact, int] = {impact: rank for rank, impact in enumerate(Impact)}
IMPACT_OF_STATUS: dict[CellStatus, Impact] = {
    CellStatus.OPERATIONAL: Impact.NONE,
    CellStatus.MAINTENANCE: Impact.NONE,
    CellStatus.DEGRADED: Impact.MINOR,
    CellStatus.PARTIAL_OUTAGE: Impact.MAJOR,
    CellStatus.MAJOR_OUTAGE: Impact.CRITICAL,
}
