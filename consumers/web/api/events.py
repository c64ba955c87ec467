"""GET events, ignored events and unrouted alerts: what lies on the log, and what had no effect; for operators only."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import ConfigDict

from consumers.web.api.reading import (
    BAD,
    MISSING,
    REFUSED,
    After,
    Limit,
    Reading,
    ask,
    decode_cursor,
    encode_cursor,
    page_of,
)
from consumers.web.api.shape import Shape, when
from schemas.vocabulary import Severity
from streams.runtime.access import Role


class EventShape(Shape):
    """One event of the audit log; ``data`` is particular to its type."""

    model_config = ConfigDict(extra="allow")

    id: str
    type: str
    topic: str
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    data: dict[str, Any]


class EventList(Shape):
    """Events in append order; ``next`` goes into ``after``, null at the end."""

    events: list[EventShape]
    next: str | None


class IgnoredShape(Shape):
    """An event that made no sense in the state it met; it is kept on the log."""

    event: str
    reason: str


class IgnoredList(Shape):
    """Ignored events by id; ``next`` goes into ``after``, null at the end."""

    ignored: list[IgnoredShape]
    next: str | None


class UnroutedShape(Shape):
    """A running alert that tells nobody, and why."""

    episode: str
    source: str
    title: str
    severity: Severity
    labels: dict[str, str]
    reason: str
    at: datetime


class UnroutedList(Shape):
    """Alerts that tell nobody, the newest first."""

    alerts: list[UnroutedShape]


class Events(Reading):
    """The reads."""

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["audit"], dependencies=[self.needs(Role.VIEWER)])
        refused = {**BAD, **MISSING, **REFUSED}
        router.get("/events", responses=refused)(self.events)
        router.get("/events/ignored", responses=refused)(self.ignored)
        router.get("/alerts/unrouted", responses={**MISSING, **REFUSED})(self.unrouted)
        return router

    def events(self, page: str, after: After = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> EventList:
        """Return the audit log in append order; an absent or empty ``after`` is the beginning."""
        self.view(page)
        rows, following = ask(lambda: self.deps.events(page, after or None, limit))
        return EventList(events=[EventShape.model_validate(row) for row in rows], next=following)

    async def ignored(self, page: str, after: After = None, limit: Limit = 100) -> IgnoredList:
        """Return the events that had no effect, and why."""
        self.view(page)
        behind = "" if not after else decode_cursor(after, 2)[1]
        rows = sorted(row for row in self.deps.board.ignored(page).items() if row[0] > behind)
        shown, following = page_of(rows, limit, lambda row: encode_cursor("ignored", row[0]))
        return IgnoredList(ignored=[IgnoredShape(event=event, reason=why) for event, why in shown], next=following)

    def unrouted(self, page: str) -> UnroutedList:
        """Return the running alerts that tell nobody, the newest first."""
        self.view(page)
        rows = sorted(self.deps.unrouted.list(page).items(), key=lambda row: (-row[1].at, row[0]))
        shapes = [
            UnroutedShape(
                episode=episode,
                source=alarm.source,
                title=alarm.title,
                severity=alarm.severity,
                labels=alarm.labels,
                reason=alarm.reason,
                at=when(alarm.at),
            )
            for episode, alarm in rows
        ]
        return UnroutedList(alerts=shapes)
