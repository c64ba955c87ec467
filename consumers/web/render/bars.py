"""Ninety days of a component as one small SVG that reads without script, without colour and aloud."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from consumers.web.render.uptime import DayUptime, overall, percent
from consumers.web.render.words import STATUS, STATUS_TONE, duration
from consumers.web.render.zone import day_of
from schemas.vocabulary import CellStatus

_STEP, _WIDTH, _HEIGHT, _NOTCH = 5, 4, 36, 7
_BAD = (CellStatus.MAJOR_OUTAGE, CellStatus.PARTIAL_OUTAGE, CellStatus.DEGRADED, CellStatus.MAINTENANCE)
_DOWN = (CellStatus.MAJOR_OUTAGE, CellStatus.PARTIAL_OUTAGE)


class Shape(NamedTuple):
    """How a day stands in the row: a day with trouble is taller than its neighbours, one without data a stub."""

    y: int
    height: int


_CALM = Shape(_NOTCH, _HEIGHT - _NOTCH)
_TROUBLED = Shape(0, _HEIGHT)
_UNKNOWN = Shape(_HEIGHT - _NOTCH, _NOTCH)


def bars(name: str, days: Sequence[DayUptime]) -> Markup:
    """Return the SVG; each day carries its date and what happened as a ``title``."""
    width = len(days) * _STEP - (_STEP - _WIDTH)
    rects = Markup("".join(_rect(rank, each) for rank, each in enumerate(days)))  # noqa: S704 - see _rect
    return Markup(
        '<svg class="bars" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    ).format(width, _HEIGHT, summary(name, days), rects)


def summary(name: str, days: Sequence[DayUptime]) -> str:
    """Return one sentence for who does not see the bars."""
    ratio = overall(days)
    if ratio is None:
        return f"{name}: no uptime data yet"
    down = [day_of(each.day) for each in days if any(each.seconds.get(status) for status in _DOWN)]
    told = f"downtime on {', '.join(down)}" if down else "no downtime"
    return f"{name}: {percent(ratio)} uptime over {len(days)} days, {told}"


def tell(each: DayUptime) -> str:
    """Return what happened on a day: ``16 Nov 2026: degraded performance for 54 minutes``."""
    if each.ratio is None:
        return f"{day_of(each.day)}: no data"
    lost = [
        f"{STATUS[status].lower()} for {duration(each.seconds[status])}" for status in _BAD if each.seconds.get(status)
    ]
    return f"{day_of(each.day)}: {', '.join(lost) or 'no downtime'}"


def _rect(rank: int, each: DayUptime) -> str:
    """Return one day. All its words are ours; escaping 90 of them for each component is what a page would cost."""
    worst = each.worst
    shape = _UNKNOWN if worst is None else _CALM if worst is CellStatus.OPERATIONAL else _TROUBLED
    tone = "none" if worst is None else STATUS_TONE[worst]
    return (
        f'<rect class="b-{tone}" x="{rank * _STEP}" y="{shape.y}" width="{_WIDTH}" height="{shape.height}">'
        f"<title>{tell(each)}</title></rect>"
    )
