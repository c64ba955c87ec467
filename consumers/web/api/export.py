"""GET subscribers/export: everybody with their address in clear, for admins, and never without a line in the server's log."""

import logging
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from consumers.web import ports
from consumers.web.api.reading import BAD, MISSING, REFUSED, After, Reading, ask
from consumers.web.api.shape import Shape, when
from consumers.web.api.subscribers import FilterShape, PaceShape, filter_shape, pace_shape
from schemas.vocabulary import Audience
from streams.runtime.access import Role

_log = logging.getLogger(__name__)
_Limit = Annotated[int, Query(ge=1, le=1_000, description="How many to return at most.")]


class ExportedShape(Shape):
    """A subscriber with the address in clear; ``secret`` signs what a webhook gets, null elsewhere."""

    id: str
    channel: str
    address: str
    secret: str | None
    state: str
    reason: str | None
    filter: FilterShape
    pace: PaceShape | None
    audience: Audience
    created_at: datetime


class ExportedList(Shape):
    """A part of all subscribers; ``next`` goes into ``after``, null at the end. A part may be empty and not the last."""

    subscribers: list[ExportedShape]
    next: str | None


class Export(Reading):
    """The read."""

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["subscribers"], dependencies=[self.needs(Role.ADMIN)])
        router.get("/subscribers/export", responses={**BAD, **MISSING, **REFUSED})(self.export)
        return router

    def export(
        self, request: Request, response: Response, page: str, after: After = None, limit: _Limit = 1_000
    ) -> ExportedList:
        """Return all subscribers but those who are removed or erased, with their addresses in clear."""
        operator = self.deps.access.require(request.headers.get("authorization"), Role.ADMIN)
        self.view(page)
        rows, following = ask(lambda: self.deps.export.list(page, after, limit))
        _log.warning("%s reads the addresses of %d subscribers of %s in clear", operator.actor, len(rows), page)
        response.headers["Cache-Control"] = "no-store"
        return ExportedList(subscribers=[_shape(row) for row in rows], next=following)


def _shape(row: ports.ExportedSubscriber) -> ExportedShape:
    return ExportedShape(
        id=row.id,
        channel=row.channel,
        address=row.address,
        secret=row.secret or None,
        state=row.state,
        reason=row.reason or None,
        filter=filter_shape(row.filter),
        pace=pace_shape(row.pace),
        audience=row.audience,
        created_at=when(row.created_at),
    )
