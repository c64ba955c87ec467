"""When a subscriber may be told, by the pace that they chose: pure rules over times that are given. It knows no ledger.

The clocks that count are those of the subscriber's time zone. A time that they skip when they are put forward is the
moment of the jump; one that they show twice when they are put back is the first of the two.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from consumers.delivery.render.words import moment, zone_of
from schemas.events import Micros, Notice, Pace, QuietHours
from schemas.vocabulary import Impact, Kind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_TOLD_AT_THEIR_PACE = (Kind.INCIDENT, Kind.MAINTENANCE)
"""Of the rest, somebody waits for it: a confirmation, a promise."""


class Hold(NamedTuple):
    """Up to when something is held, and why, as it is shown in reports."""

    until: Micros
    reason: str


def hold(pace: Pace, notice: Notice, now: Micros) -> Hold | None:
    """Return up to when a notice is held for a subscriber who chose ``pace``, None where it goes out now."""
    if notice.kind not in _TOLD_AT_THEIR_PACE:
        return None
    if pace.critical_gets_through and notice.impact is Impact.CRITICAL:
        return None
    if pace.quiet_hours is not None and (end := quiet_until(pace.quiet_hours, now)) is not None:
        return Hold(end, f"quiet hours until {clock_of(end, pace.quiet_hours.zone)}")
    return None


def quiet_until(quiet: QuietHours, at: Micros) -> Micros | None:
    """Return when the quiet hours end within which ``at`` lies, None where it lies within none."""
    zone = zone_of(quiet.zone)
    night = timedelta() if quiet.start < quiet.end else _DAY
    for day in _days_around(at, zone):
        end = instant_of(day + night, quiet.end, zone)
        if instant_of(day, quiet.start, zone) <= at < end:
            # A night that clocks skip begins and ends with the jump, and another one may begin there.
            return quiet_until(quiet, end) or end
    return None


def instant_of(day: date, minutes: int, zone: ZoneInfo) -> Micros:
    """Return when clocks of a zone show a time of a day, or a later one if they skip it: the first such moment."""
    wall = datetime.combine(day, time(minutes // 60, minutes % 60))
    found = wall.replace(tzinfo=zone).astimezone(UTC)
    if _shown(found, zone) != wall:
        found = _jump(wall, wall.replace(tzinfo=zone, fold=1).astimezone(UTC), found, zone)
    return (found - _EPOCH) // timedelta(microseconds=1)


def clock_of(at: Micros, zone: str) -> str:
    """Return ``07:00 Europe/Berlin``."""
    return f"{_shown(moment(at), zone_of(zone)):%H:%M} {zone}"


def _jump(wall: datetime, before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first second between two at which clocks show ``wall`` or a later time."""
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        before, after = (before, middle) if _shown(middle, zone) >= wall else (middle, after)
    return after


def _shown(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def _days_around(at: Micros, zone: ZoneInfo) -> Iterator[date]:
    """Yield the days on which hours may begin that hold ``at``: today, yesterday, and the day before where one was skipped."""
    today = _shown(moment(at), zone).date()
    yield from (today - _DAY * back for back in range(3))
