"""GET uptime and reliability: how well it went, by day and by component, for everybody to see."""

from datetime import date
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query

from consumers.reliability.figures import Figures, figures, figures_by_component
from consumers.reliability.uptime import day_of, start_of
from consumers.web.api.reading import BAD, MISSING, Bearer, From, Reading, To, cells_of, window
from consumers.web.api.shape import Shape
from consumers.web.render.uptime import overall
from schemas.vocabulary import CellStatus


class DayShape(Shape):
    """One UTC day. ``seconds`` are those of the mean cell; ``ratio`` (0 to 1) is null without data."""

    date: date
    seconds: dict[CellStatus, int]
    ratio: float | None


class UptimeShape(Shape):
    """Days from ``from`` to ``to`` and the ratio over all of them."""

    days: list[DayShape]
    ratio: float | None


class FiguresShape(Shape):
    """Counts and means of one window; a mean is null where nothing is there to take it of."""

    incidents: int
    """Published in the window."""
    resolved: int
    """Resolved in the window."""
    open: int
    """Open at the end of the window."""
    mtta_seconds: float | None
    """Mean time from the beginning in the world to the first public message."""
    mttr_seconds: float | None
    """Mean time from the beginning in the world to the resolution."""


class ReliabilityShape(FiguresShape):
    """The page's figures, and those of each component that an incident touched."""

    components: dict[str, FiguresShape]


class Reliability(Reading):
    """The reads."""

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["reliability"])
        router.get("/uptime", responses={**BAD, **MISSING})(self.uptime)
        router.get("/reliability", responses={**BAD, **MISSING})(self.reliability)
        return router

    def uptime(
        self,
        page: str,
        component: Annotated[str | None, Query(description="A component or group; the whole page if absent.")] = None,
        region: Annotated[str | None, Query(description="A region; all if absent.")] = None,
        first: From = None,
        to: To = None,
        given: Bearer = None,
    ) -> UptimeShape:
        """Return the uptime of each UTC day, and over all of them."""
        now = self.deps.clock()
        cells = cells_of(self.shown(page, given), component, region)
        start, end = window(first, to, day_of(now))
        days = self.deps.uptime.days(page, cells, start, end, now)
        shown = [DayShape(date=day.day, seconds=dict(day.seconds), ratio=day.ratio) for day in days]
        return UptimeShape(days=shown, ratio=overall(days))

    def reliability(self, page: str, first: From = None, to: To = None, given: Bearer = None) -> ReliabilityShape:
        """Return MTTA, MTTR and counts of a window of UTC days."""
        incidents = list(self.shown(page, given).incidents.values())
        first_day, last_day = window(first, to, day_of(self.deps.clock()))
        start, end = start_of(first_day), start_of(last_day) + start_of(date(1970, 1, 2))
        return ReliabilityShape(
            **_shape(figures(incidents, start, end)).model_dump(),
            components={name: _shape(own) for name, own in figures_by_component(incidents, start, end).items()},
        )


def _shape(own: Figures) -> FiguresShape:
    return FiguresShape(**msgspec.structs.asdict(own))
