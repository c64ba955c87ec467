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
        past = self._past.past(page, first, last)
        return _days([cell.key for cell in cells], past, _window(first, last), now)

    def uptime_of_page(self, view: PageView, now: Micros, days: int = DAYS) -> Uptime:
        """Return the last ``days`` UTC days of every leaf component; the same picture is computed once a minute."""
        wanted = view.version, now // _MINUTE, days
        cached = self._cached.get(view.page)
        if cached is None or cached[0] != wanted:
            cached = self._cached[view.page] = wanted, self._of_page(view, now, days)
        return cached[1]

    def _of_page(self, view: PageView, now: Micros, days: int) -> Uptime:
        last = day_of(now)
        window = _window(last - timedelta(days=days - 1), last)
        past = self._past.past(view.page, window[0], last)
        calm = [_calm(day, now) for day in window]
        found: dict[str, Sequence[DayUptime]] = {}
        for leaf in Tree(view.components).leaves(None):
            keys = [cell.key for cell in leaf.cells]
            spotless = all(_is_spotless(past, key, window[0]) for key in keys)
            found[leaf.definition.component] = calm if spotless else _days(keys, past, window, now)
        return found


def _window(first: date, last: date) -> list[date]:
    return [first + timedelta(days=rank) for rank in range((last - first).days + 1)]


def _is_spotless(past: Past, cell: str, first: date) -> bool:
    """Whether the cell was known and operational all the time: most are, and share one list of days."""
    history = past.cells.get(cell)
    if history is None or history.status is not CellStatus.OPERATIONAL or cell in past.lost:
        return False
    return len(history.known) == 1 and history.is_known and history.known[0].start <= start_of(first)


def _calm(day: date, now: Micros) -> DayUptime:
    return DayUptime(day, {CellStatus.OPERATIONAL: min(DAY, now - start_of(day)) // _SECOND}, 1.0)


def _days(cells: Sequence[str], past: Past, window: Sequence[date], now: Micros) -> list[DayUptime]:
    known = [(history, past.lost.get(cell, {})) for cell in cells if (history := past.cells.get(cell)) is not None]
    observed = [_observed(history, window, now) for history, _ in known]
    lost = [_lost(history, days, window, now) for history, days in known]
    return [
        _day(day, [by_day.get(day, 0) for by_day in observed], [by_day.get(day, {}) for by_day in lost], past.weight)
        for day in window
    ]


def _observed(history: CellHistory, window: Sequence[date], now: Micros) -> dict[date, Micros]:
    """Return for how long the cell was on the page on each day."""
    begin, end = start_of(window[0]), min(start_of(window[-1]) + DAY, now)
    found: dict[date, Micros] = {}
    for period in history.known:
        until = end if period.end is None else min(period.end, end)
        for day, span in split(max(period.start, begin), until):
            found[day] = found.get(day, 0) + span
    return found


def _lost(history: CellHistory, closed: Mapping[date, Lost], window: Sequence[date], now: Micros) -> dict[date, Lost]:
    """Return the lost time of each day, with what is still running."""
    found = dict(closed)
    if history.is_known and history.status is not CellStatus.OPERATIONAL:
        begin, end = start_of(window[0]), min(start_of(window[-1]) + DAY, now)
        for day, span in islice(split(max(history.since, begin), end), _MOST_DAYS):
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
