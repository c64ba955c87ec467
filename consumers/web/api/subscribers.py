"""GET subscribers: who wants to hear of what; for operators only, and no address is shown whole."""

from datetime import datetime
from typing import Literal, TypeAlias

from fastapi import APIRouter
from pydantic import Field

from consumers.web import ports
from consumers.web.api.reading import BAD, MISSING, REFUSED, After, Limit, Reading, ask
from consumers.web.api.shape import Shape, when
from schemas.events import Cell, Filter, Pace, QuietHours
from schemas.vocabulary import Audience, DigestEvery, Impact, Kind, Suppression
from streams.runtime.access import Role

StateName: TypeAlias = Literal["pending", "active", "paused", "suppressed", "removed"]


class CellChoice(Shape):
    """A cell of a filter; a group means all below it, no region means all."""

    component: str
    region: str | None


class FilterShape(Shape):
    """What a subscriber wants to hear of; ``cells`` is null for everything."""

    cells: list[CellChoice] | None
    min_impact: Impact
    kinds: list[Kind]


class QuietShape(Shape):
    """Hours in which nothing arrives, by the clocks of a time zone."""

    from_: str = Field(alias="from")
    to: str
    zone: str


class DigestShape(Shape):
    """When a subscriber gets one message that sums up what happened; ``at`` is null where it is each hour."""

    every: DigestEvery
    at: str | None
    zone: str


class PaceShape(Shape):
    """When a subscriber is told, and how often at the most."""

    quiet_hours: QuietShape | None
    digest: DigestShape | None
    minimum_gap: int | None
    """Seconds."""
    critical_gets_through: bool


class SubscriberShape(Shape):
    """A subscriber; the address is masked."""

    id: str
    channel: str
    address: str
    state: str
    reason: str | None
    suppression: Suppression | None
    """Why an address is not told any more; null while it is not suppressed, and where that was not recorded."""
    filter: FilterShape
    audience: Audience
    """Whom the subscriber belongs to: the public, or those who work here, who hear of what is internal, too."""
    pace: PaceShape | None
    created_at: datetime


class SubscriberList(Shape):
    """A page of subscribers; ``next`` goes into ``after``, null at the end."""

    subscribers: list[SubscriberShape]
    next: str | None


class Subscribers(Reading):
    """The reads."""

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["subscribers"], dependencies=[self.needs(Role.OPERATOR)])
        router.get("/subscribers", responses={**BAD, **MISSING, **REFUSED})(self.subscribers)
        return router

    def subscribers(
        self, page: str, after: After = None, limit: Limit = 100, state: StateName | None = None
    ) -> SubscriberList:
        """Return the page's subscribers in any state, or in one: ``suppressed`` are those who are not told any more."""
        self.view(page)
        rows, following = ask(lambda: self.deps.subscribers.list(page, after, limit, state))
        return SubscriberList(subscribers=[_shape(row) for row in rows], next=following)


def _shape(row: ports.SubscriberRow) -> SubscriberShape:
    return SubscriberShape(
        id=row.id,
        channel=row.channel,
        address=row.address,
        state=row.state,
        reason=row.reason or None,
        suppression=row.suppression,
        filter=filter_shape(row.filter),
        audience=row.audience,
        pace=pace_shape(row.pace),
        created_at=when(row.created_at),
    )


def filter_shape(wanted: Filter) -> FilterShape:
    """Return a filter for a shape."""
    cells = None if wanted.cells is None else [choice_shape(cell) for cell in wanted.cells]
    return FilterShape(cells=cells, min_impact=wanted.min_impact, kinds=wanted.kinds)


def pace_shape(pace: Pace | None) -> PaceShape | None:
    """Return a pace for a shape; null for who is told at once."""
    if pace is None:
        return None
    digest = pace.digest
    at = None if digest is None or digest.every is DigestEvery.HOUR else _clock(digest.at)
    return PaceShape(
        quiet_hours=_quiet_shape(pace.quiet_hours),
        digest=None if digest is None else DigestShape(every=digest.every, at=at, zone=digest.zone),
        minimum_gap=pace.minimum_gap or None,
        critical_gets_through=pace.critical_gets_through,
    )


def _quiet_shape(quiet: QuietHours | None) -> QuietShape | None:
    if quiet is None:
        return None
    return QuietShape.model_validate({"from": _clock(quiet.start), "to": _clock(quiet.end), "zone": quiet.zone})


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def choice_shape(cell: Cell) -> CellChoice:
    """Return a line of a filter for a shape."""
    return CellChoice(component=cell.component, region=cell.region)
