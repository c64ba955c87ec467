"""GET incidents: what is told to the public, the newest first. Drills are not shown."""

from datetime import datetime

from fastapi import APIRouter

from consumers.web.api.reading import (
    BAD,
    MISSING,
    After,
    Bearer,
    Limit,
    Reading,
    bad_cursor,
    decode_cursor,
    encode_cursor,
    page_of,
)
from consumers.web.api.shape import CellEffect, Shape, UpdateShape, effects_shape, updates_shape, when, when_or_none
from consumers.web.render import codes, selection
from schemas.events import Micros
from schemas.vocabulary import Audience, Impact, IncidentStatus
from streams.domain.model import Incident, PageView
from streams.runtime.problems import not_found


class IncidentShape(Shape):
    """An incident with its updates, the newest first."""

    id: str
    title: str
    status: IncidentStatus
    impact: Impact
    affects: list[CellEffect]
    """The cells that it affects now."""
    audience: Audience
    """Who is told and shown it; what is internal is answered to operators only."""
    started_at: datetime
    """When it began in the world, as far as is known."""
    created_at: datetime
    """When the public was told."""
    updated_at: datetime
    resolved_at: datetime | None
    promise_at: datetime | None
    """When the next update is due; null once resolved."""
    updates: list[UpdateShape]


class IncidentList(Shape):
    """A page of incidents; ``next`` goes into ``after``, null at the end."""

    incidents: list[IncidentShape]
    next: str | None


class Incidents(Reading):
    """The reads."""

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["incidents"])
        router.get("/incidents", responses={**BAD, **MISSING})(self.incidents)
        router.get("/incidents/{incident}", responses=MISSING)(self.incident)
        return router

    async def incidents(self, page: str, after: After = None, limit: Limit = 25, given: Bearer = None) -> IncidentList:
        """Return the page's incidents, the newest first; internal ones to operators only."""
        rows = _behind(selection.incidents(self.shown(page, given)), after)
        shown, following = page_of(rows, limit, lambda row: encode_cursor(row.created_at, row.id))
        return IncidentList(incidents=[incident_shape(row) for row in shown], next=following)

    async def incident(self, page: str, incident: str, given: Bearer = None) -> IncidentShape:
        """Return one incident, by its id or by the code that stands in its address."""
        found = find(self.shown(page, given), incident)
        if found is None:
            raise not_found("incident")
        return incident_shape(found)


def find(view: PageView, name: str) -> Incident | None:
    """Return the incident with this id or code, if the public may see it."""
    known = view.incidents.get(name)
    if known is not None:
        return None if known.drill else known
    return codes.find_incident(view, name)


def _behind(rows: list[Incident], after: str | None) -> list[Incident]:
    if not after:
        return rows
    created_at, identifier = decode_cursor(after, 2)
    try:
        place = -int(created_at), identifier
    except ValueError:
        raise bad_cursor() from None
    return [row for row in rows if _place(row) > place]


def _place(row: Incident) -> tuple[Micros, str]:
    return -row.created_at, row.id


def incident_shape(incident: Incident) -> IncidentShape:
    """Return an incident as the public sees it."""
    return IncidentShape(
        id=incident.id,
        title=incident.title,
        status=incident.status,
        impact=incident.impact,
        affects=effects_shape(incident.effects.values()),
        audience=incident.audience,
        started_at=when(incident.started_at),
        created_at=when(incident.created_at),
        updated_at=when(incident.updated_at),
        resolved_at=when_or_none(incident.resolved_at),
        promise_at=when_or_none(incident.promise_at if incident.is_open else None),
        updates=updates_shape(incident.updates),
    )
