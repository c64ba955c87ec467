"""GET subscribers: who wants to hear of what; for operators only, and no address is shown whole."""

from datetime import datetime

from fastapi import APIRouter

from consumers.web import ports
from consumers.web.api.reading import BAD, MISSING, REFUSED, After, Limit, Reading, ask
from consumers.web.api.shape import Shape, when
from schemas.events import Cell, Filter
from schemas.vocabulary import Impact, Kind
from streams.runtime.access import Role


class CellChoice(Shape):
    """A cell of a filter; a group means all below it, no region means all."""

    component: str
    region: str | None


class FilterShape(Shape):
    """What a subscriber wants to hear of; ``cells`` is null for everything."""

    cells: list[CellChoice] | None
    min_impact: Impact
    kinds: list[Kind]


class SubscriberShape(Shape):
    """A subscriber; the address is masked."""

    id: str
    channel: str
    address: str
    state: str
    reason: str | None
    filter: FilterShape
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

    def subscribers(self, page: str, after: After = None, limit: Limit = 100) -> SubscriberList:
        """Return the page's subscribers in any state."""
        self.view(page)
        rows, following = ask(lambda: self.deps.subscribers.list(page, after, limit))
        return SubscriberList(subscribers=[_shape(row) for row in rows], next=following)


def _shape(row: ports.SubscriberRow) -> SubscriberShape:
    return SubscriberShape(
        id=row.id,
        channel=row.channel,
        address=row.address,
        state=row.state,
        reason=row.reason or None,
        filter=filter_shape(row.filter),
        created_at=when(row.created_at),
    )


def filter_shape(wanted: Filter) -> FilterShape:
    """Return a filter for a shape."""
    cells = None if wanted.cells is None else [choice_shape(cell) for cell in wanted.cells]
    return FilterShape(cells=cells, min_impact=wanted.min_impact, kinds=wanted.kinds)


def choice_shape(cell: Cell) -> CellChoice:
    """Return a line of a filter for a shape."""
    return CellChoice(component=cell.component, region=cell.region)
