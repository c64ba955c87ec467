"""GET maintenances: announced, running and over, the last to begin first. Drills are not shown."""

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
from schemas.vocabulary import Audience, MaintenanceStatus
from streams.domain.model import Maintenance
from streams.runtime.problems import not_found


class MaintenanceShape(Shape):
    """A maintenance with its updates, the newest first."""

    id: str
    title: str
    status: MaintenanceStatus
    affects: list[CellEffect]
    audience: Audience
    """Who is told and shown it; what is internal is answered to operators only."""
    starts_at: datetime
    ends_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    updates: list[UpdateShape]


class MaintenanceList(Shape):
    """A page of maintenances; ``next`` goes into ``after``, null at the end."""

    maintenances: list[MaintenanceShape]
    next: str | None


class Maintenances(Reading):
    """The reads."""

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["maintenance"])
        router.get("/maintenances", responses={**BAD, **MISSING})(self.maintenances)
        router.get("/maintenances/{maintenance}", responses=MISSING)(self.maintenance)
        return router

    async def maintenances(
        self, page: str, after: After = None, limit: Limit = 25, given: Bearer = None
    ) -> MaintenanceList:
        """Return the page's maintenances, the last to begin first; internal ones to operators only."""
        rows = _behind(selection.maintenances(self.shown(page, given)), after)
        shown, following = page_of(rows, limit, lambda row: encode_cursor(row.starts_at, row.id))
        return MaintenanceList(maintenances=[maintenance_shape(row) for row in shown], next=following)

    async def maintenance(self, page: str, maintenance: str, given: Bearer = None) -> MaintenanceShape:
        """Return one maintenance, by its id or by the code that stands in its address."""
        found = codes.find_maintenance(self.shown(page, given), maintenance)
        if found is None:
            raise not_found("maintenance")
        return maintenance_shape(found)


def _behind(rows: list[Maintenance], after: str | None) -> list[Maintenance]:
    if not after:
        return rows
    starts_at, identifier = decode_cursor(after, 2)
    try:
        place = -int(starts_at), identifier
    except ValueError:
        raise bad_cursor() from None
    return [row for row in rows if _place(row) > place]


def _place(row: Maintenance) -> tuple[Micros, str]:
    return -row.starts_at, row.id


def maintenance_shape(maintenance: Maintenance) -> MaintenanceShape:
    """Return a maintenance as the public sees it."""
    return MaintenanceShape(
        id=maintenance.id,
        title=maintenance.title,
        status=maintenance.status,
        affects=effects_shape(maintenance.affects),
        audience=maintenance.audience,
        starts_at=when(maintenance.starts_at),
        ends_at=when(maintenance.ends_at),
        started_at=when_or_none(maintenance.started_at),
        completed_at=when_or_none(maintenance.completed_at),
        created_at=when(maintenance.created_at),
        updated_at=when(maintenance.updated_at),
        updates=updates_shape(maintenance.updates),
    )
