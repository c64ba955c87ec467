"""GET drafts: messages that wait for a person or for their delay; for operators only."""

from datetime import datetime

from fastapi import APIRouter

from consumers.web.api.reading import MISSING, REFUSED, Reading
from consumers.web.api.shape import CellEffect, Shape, effects_shape, when, when_or_none
from schemas.vocabulary import IncidentStatus
from streams.domain.model import Draft
from streams.runtime.access import Role


class DraftShape(Shape):
    """A message that waits for ``approval`` or for its ``delay``, until ``publish_at``."""

    id: str
    incident: str | None
    """The open incident that it would update; null where it would open one."""
    title: str
    body: str
    status: IncidentStatus
    affects: list[CellEffect]
    rule: str
    component: str
    waits_for: str
    publish_at: datetime | None
    started_at: datetime
    created_at: datetime
    updated_at: datetime
    drill: bool


class Drafts(Reading):
    """The reads."""

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["drafts"], dependencies=[self.needs(Role.VIEWER)])
        router.get("/drafts", responses={**MISSING, **REFUSED})(self.drafts)
        return router

    async def drafts(self, page: str) -> list[DraftShape]:
        """Return the drafts that wait, the oldest first."""
        waiting = sorted(self.view(page).drafts.values(), key=lambda draft: (draft.created_at, draft.id))
        return [_shape(draft) for draft in waiting]


def _shape(draft: Draft) -> DraftShape:
    return DraftShape(
        id=draft.id,
        incident=draft.incident,
        title=draft.title,
        body=draft.body,
        status=draft.status,
        affects=effects_shape(draft.affects),
        rule=draft.rule,
        component=draft.component,
        waits_for=draft.waits_for,
        publish_at=when_or_none(draft.publish_at),
        started_at=when(draft.started_at),
        created_at=when(draft.created_at),
        updated_at=when(draft.updated_at),
        drill=draft.drill,
    )
