"""Uptime for readers: days of a component, with the running day up to a given moment. It keeps nothing but a cache."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import chain, islice

from consumers.reliability.past import Past, PastReader
from consumers.reliability.uptime import DAY, CellHistory, Lost, day_of, split, start_of
from consumers.web.render.uptime import DAYS, DayUptime, Uptime
from schemas.events import Cell, Micros
from schemas.vocabulary import CellStatus
from streams.domain.model import PageView
from streams.domain.tree import Tree

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_MOST_DAYS = 4_000


class UptimeReader:
    """Answers for how long cells were in which status. May block on ``past``; may be called from any thread."""

    def __init__(self, past: PastReader) -> None:
        self._past = past
        self._cached: dict[str, tuple[tuple[int, Micros, int], Uptime]] = {}

    def days(self, page: str, cells: Iterable[Cell], first: date, last: date, now: Micros) -> list[DayUptime]:
        """Return the UTC days from ``first`` to ``last`` for all of ``cells`` together, as they stand at ``now``."""
        window = _Window(first, last, now)
        return window.of([cell.key for cell in cells], self._past.past(page, first, last))

    def uptime_of_page(self, view: PageView, now: Micros, days: int = DAYS) -> Uptime:
        """Return the last ``days`` UTC days of every leaf component; the same picture is computed once a minute."""
        wanted = view.version, now // _MINUTE, days
        cached = self._cached.get(view.page)
        if cached is None or cached[0] != wanted:
            cached = self._cached[view.page] = wanted, self._of_page(view, now, days)
        return cached[1]

    def _of_page(self, view: PageView, now: Micros, days: int) -> Uptime:
        last = day_of(now)
        first = last - timedelta(days=days - 1)
        window, past = _Window(first, last, now), self._past.past(view.page, first, last)
        leaves = Tree(view.components).leaves(None)
        return {leaf.definition.component: window.of([cell.key for cell in leaf.cells], past) for leaf in leaves}


class _Window:
    """Some days up to ``now``. Most cells are there and operational on most of them: those days are made once."""

    def __init__(self, first: date, last: date, now: Micros) -> None:
        self._days = [first + timedelta(days=rank) for rank in range((last - first).days + 1)]
        self._begin, self._end = start_of(first), min(start_of(last) + DAY, now)
        self._whole = dict(split(self._begin, self._end))
        self._calm = [_day(day, [self._whole.get(day, 0)], [], 0.0) for day in self._days]

    def of(self, cells: Sequence[str], past: Past) -> list[DayUptime]:
        """Return the days of all of ``cells`` together."""
        known = [(history, past.lost.get(cell, {})) for cell in cells if (history := past.cells.get(cell)) is not None]
        observed = [self._observed(history) for history, _ in known]
        lost = [self._lost(history, closed) for history, closed in known]
        settled = bool(known) and all(found is self._whole for found in observed)
        special = set(chain.from_iterable(lost)) if settled else set(self._days)
        days = list(self._calm)
        for rank, day in enumerate(self._days):
            if day in special:
                spans = [found.get(day, 0) for found in observed]
                days[rank] = _day(day, spans, [found.get(day, {}) for found in lost], past.weight)
        return days

    def _observed(self, history: CellHistory) -> Mapping[date, Micros]:
        """Return for how long the cell was on the page on each day."""
        if len(history.known) == 1 and history.is_known and history.known[0].start <= self._begin:
            return self._whole
        found: dict[date, Micros] = {}
        for period in history.known:
            end = self._end if period.end is None else min(period.end, self._end)
            for day, span in split(max(period.start, self._begin), end):
                found[day] = found.get(day, 0) + span
        return found

    def _lost(self, history: CellHistory, closed: Mapping[date, Lost]) -> Mapping[date, Lost]:
        """Return the lost time of each day, with what is still running."""
        if not history.is_known or history.status is CellStatus.OPERATIONAL:
            return closed
        found = dict(closed)
        for day, span in islice(split(max(history.since, self._begin), self._end), _MOST_DAYS):
            lost = found.get(day, {})
            found[day] = lost | {history.status: lost.get(history.status, 0) + span}
        return found


def _day(day: date, observed: Sequence[Micros], lost: Sequence[Lost], weight: float) -> DayUptime:
    """Sum up the cells of one day: the ratio weighs each by its time, the seconds are those of the mean cell."""
    total = sum(observed)
    if total == 0:
        return DayUptime(day, {}, None)
    by_status = dict(_summed(lost))
    up = total - sum(by_status.values())
    down = by_status.get(CellStatus.MAJOR_OUTAGE, 0) + weight * by_status.get(CellStatus.PARTIAL_OUTAGE, 0)
    share = sum(1 for each in observed if each) * _SECOND
    seconds = {status: round(span / share) for status, span in (by_status | {CellStatus.OPERATIONAL: up}).items()}
    return DayUptime(day, seconds, min(max(1 - down / total, 0.0), 1.0))


def _summed(lost: Sequence[Lost]) -> Iterator[tuple[CellStatus, Micros]]:
    statuses = dict.fromkeys(chain.from_iterable(lost))
    for status in statuses:
        yield status, sum(each.get(status, 0) for each in lost)
