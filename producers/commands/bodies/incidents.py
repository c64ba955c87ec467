"""What commands about incidents, drafts and maintenances carry."""

from typing import Annotated

from pydantic import ConfigDict, Field, StrictBool, ValidationInfo, field_validator

from producers.commands.bodies.fields import (
    MOST_CELLS,
    Body,
    CellChoice,
    Changed,
    Disturbed,
    Moment,
    Promise,
    Text,
    Title,
)
from schemas.vocabulary import Audience, Impact, IncidentStatus, MaintenanceStatus


class OpenIncident(Body):
    """Tell the public of an incident."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "API errors in Europe",
                    "body": "Some requests fail. We are looking into it.",
                    "status": "investigating",
                    "affects": [{"component": "api", "region": "eu", "status": "major_outage"}],
                    "next_update_in": "30m",
                }
            ]
        }
    )

    title: Title
    body: Text
    status: IncidentStatus
    impact: Impact | None = None
    """How bad it is; absent: as its worst cell says."""
    affects: Annotated[list[Disturbed], Field(max_length=MOST_CELLS)] | None = None
    """The cells that it affects; of a cell that is named twice the later counts."""
    next_update_in: Promise | None = None
    """When the next update follows; absent: as the page is configured."""
    audience: Audience | None = None
    """Who is told and shown it; absent: the public, unless all that it affects is internal."""
    drill: StrictBool = False
    """A rehearsal: it goes the whole road and reaches neither the public nor real people."""

    @field_validator("status")
    @classmethod
    def _begins(cls, status: IncidentStatus) -> IncidentStatus:
        if status is IncidentStatus.POSTMORTEM:
            raise ValueError("must not be postmortem: a post-mortem follows the resolution")
        return status


class UpdateIncident(Body):
    """Say how an incident goes on."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"body": "The cause is found and being repaired.", "status": "identified"}]}
    )

    body: Text
    status: IncidentStatus
    impact: Impact | None = None
    """How bad it is from now on; absent: as before."""
    affects: Annotated[list[Changed], Field(max_length=MOST_CELLS)] | None = None
    """The cells whose status changes."""
    next_update_in: Promise | None = None
    """When the next update follows; absent: as the page is configured."""


class DismissDraft(Body):
    """Throw a draft away."""

    reason: Annotated[str, Field(max_length=500)] | None = None
    """Why, for the audit log."""


class Nothing(Body):
    """A command that needs no words."""


class ScheduleMaintenance(Body):
    """Announce a maintenance; it starts and ends by the clock unless a person is faster."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "New servers for the login",
                    "body": "You may be asked to log in again.",
                    "affects": [{"component": "login"}],
                    "starts_at": "2026-11-28T22:00:00Z",
                    "ends_at": "2026-11-29T00:00:00Z",
                }
            ]
        }
    )

    title: Title
    body: Text
    affects: Annotated[list[CellChoice], Field(max_length=MOST_CELLS)]
    """The cells that are under maintenance meanwhile."""
    starts_at: Moment
    ends_at: Moment
    audience: Audience | None = None
    """Who is told and shown it; absent: the public, unless all that it affects is internal."""
    drill: StrictBool = False

    @field_validator("ends_at")
    @classmethod
    def _after_the_start(cls, ends_at: int, info: ValidationInfo) -> int:
        starts_at = info.data.get("starts_at")
        if starts_at is not None and ends_at <= starts_at:
            raise ValueError("must lie after starts_at")
        return ends_at


class UpdateMaintenance(Body):
    """Say how a maintenance goes on."""

    body: Text
    status: MaintenanceStatus | None = None
    """Absent: as it is. A maintenance never goes back."""


class StepMaintenance(Body):
    """Start or complete a maintenance, in your own words if you like."""

    body: Text | None = None
