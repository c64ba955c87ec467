"""The fold of uptime: for how long each cell was in which status, by UTC day. Pure; it asks nobody what time it is.

Only what was not operational is kept: a day without trouble costs no row. The rest of the time in which a cell was
known, it was operational. ``docs/reliability.md`` says which seconds count against uptime.
"""

from collections.abc import Iterator
from datetime import date
from itertools import islice

import msgspec
from msgspec.structs import replace

from schemas import events as e
from schemas.events import AnyEvent, Cell, Micros
from schemas.topics import PAGES
from schemas.vocabulary import CellStatus
from streams.domain.processor import Output, Processor
from streams.domain.state import State, TableSpec

CELLS, COMPONENTS, DAYS, WEIGHTS = "cells", "components", "days", "weights"
"""What is known of each cell; the cells of each component; lost time by day and cell; how much a partial outage weighs."""
ONLY = ""
DAY: Micros = 86_400 * 1_000_000
DEFAULT_WEIGHT = 0.3
_EPOCH = date(1970, 1, 1).toordinal()
_LAST_DAY = date.max.toordinal() - _EPOCH
_MOST_DAYS = 4_000
"""An interval is spread over so many days at the most: what a log in which time jumps may cost."""


class Period(msgspec.Struct, frozen=True):
    """A time in which a cell was on the page; ``end`` is None while it still is."""

    start: Micros
    end: Micros | None = None


class CellHistory(msgspec.Struct, frozen=True):
    """A cell's present status, since when, and the periods in which the cell was on the page, oldest first."""

    status: CellStatus
    since: Micros
    known: list[Period]

    @property
    def is_known(self) -> bool:
        """Whether the cell is on the page now."""
        return bool(self.known) and self.known[-1].end is None


Lost = dict[CellStatus, Micros]
"""Microseconds of one cell's day in each status but operational."""


def day_of(at: Micros) -> date:
    """Return the UTC day that holds ``at``."""
    return date.fromordinal(_EPOCH + min(max(at // DAY, 0), _LAST_DAY))


def start_of(day: date) -> Micros:
    """Return the first moment of a UTC day."""
    return (day.toordinal() - _EPOCH) * DAY


def day_key(day: date, cell: str) -> str:
    """Return the key of a cell's day; the date stands first, so that a window is a range of keys."""
    return f"{day.isoformat()}/{cell}"


def split(start: Micros, end: Micros) -> Iterator[tuple[date, Micros]]:
    """Yield the UTC days that ``[start, end)`` touches, each with the microseconds that lie in it."""
    while start < end:
        until = min(end, (start // DAY + 1) * DAY)
        yield day_of(start), until - start
        start = until


def step(state: State, event: AnyEvent, out: Output) -> None:
    """Fold one event."""
    match event.data:
        case e.CellStatusChanged() as changed:
            _changed(state, event, changed, out)
        case e.ComponentDefined(component=component, regions=regions):
            _defined(state, event, component, [Cell(component, region).key for region in regions] or [component])
        case e.ComponentRemoved(component=component):
            _defined(state, event, component, [])
        case e.PageDefined(partial_weight=weight):
            state[WEIGHTS].put(event.page, ONLY, float(min(max(weight, 0.0), 1.0)))
        case _:
            out.ignore("has no part in uptime")


def _changed(state: State, event: AnyEvent, changed: e.CellStatusChanged, out: Output) -> None:
    key = Cell(changed.component, changed.region).key
    history: CellHistory = state[CELLS].get(event.page, key) or CellHistory(CellStatus.OPERATIONAL, 0, [])
    if history.status is changed.new:
        out.ignore("the cell has this status already")
        return
    # Time runs forward within a cell, and nothing happens after it was recorded.
    at = max(min(event.occurred_at, event.recorded_at), history.since)
    if history.is_known:
        _close(state, event.page, key, history, at)
    state[CELLS].put(event.page, key, replace(history, status=changed.new, since=at))


def _defined(state: State, event: AnyEvent, component: str, cells: list[str]) -> None:
    known: list[str] = state[COMPONENTS].get(event.page, component) or []
    for key in known:
        if key not in cells:
            _leave(state, event, key)
    for key in cells:
        if key not in known:
            _enter(state, event, key)
    if cells:
        state[COMPONENTS].put(event.page, component, cells)
    else:
        state[COMPONENTS].delete(event.page, component)


def _enter(state: State, event: AnyEvent, key: str) -> None:
    history: CellHistory | None = state[CELLS].get(event.page, key)
    if history is None:
        history = CellHistory(CellStatus.OPERATIONAL, event.recorded_at, [])
    at = max(event.recorded_at, history.since)
    entered = replace(history, since=at, known=[*history.known, Period(at)])
    state[CELLS].put(event.page, key, entered)


def _leave(state: State, event: AnyEvent, key: str) -> None:
    history: CellHistory | None = state[CELLS].get(event.page, key)
    if history is None or not history.is_known:
        return
    at = max(event.recorded_at, history.since)
    _close(state, event.page, key, history, at)
    periods = [*history.known[:-1], Period(history.known[-1].start, at)]
    state[CELLS].put(event.page, key, replace(history, since=at, known=periods))


def _close(state: State, page: str, cell: str, history: CellHistory, at: Micros) -> None:
    """Add the time since the last change to its days."""
    if history.status is CellStatus.OPERATIONAL:
        return
    for day, span in islice(split(history.since, at), _MOST_DAYS):
        key = day_key(day, cell)
        lost: Lost = state[DAYS].get(page, key) or {}
        state[DAYS].put(page, key, lost | {history.status: lost.get(history.status, 0) + span})


RELIABILITY = Processor(
    name="reliability",
    topics=(PAGES.name,),
    types=frozenset({"CellStatusChanged", "ComponentDefined", "ComponentRemoved", "PageDefined"}),
    tables=(
        TableSpec(CELLS, CellHistory),
        TableSpec(COMPONENTS, list[str]),
        TableSpec(DAYS, Lost, lazy=True),
        TableSpec(WEIGHTS, float),
    ),
    step=step,
    leisurely=True,
)
