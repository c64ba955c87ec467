"""When a subscriber may be told, by the pace that they chose: pure rules over times that are given. It knows no ledger.

The clocks that count are those of the subscriber's time zone. A time that they skip when they are put forward is the
moment of the jump; one that they show twice when they are put back is the first of the two.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from consumers.delivery.render.words import moment, zone_of
from schemas.events import Digest, Micros, Notice, Pace, QuietHours
from schemas.vocabulary import DigestEvery, Impact, Kind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_MINUTE: Micros = 60_000_000


class Hold(NamedTuple):
    """Up to when something is held, and why, as it is shown in reports."""

    until: Micros
    reason: str


class Past(NamedTuple):
    """What counts of an endpoint's past.

    ``untold_since`` is when the oldest update of this incident was published that it was not told of, ``last_left`` when
    something last left for it, None where nothing did lately.
    """

    untold_since: Micros
    last_left: Micros | None = None


def may_wait(notice: Notice) -> bool:
    """Return whether a notice is one that can wait. For the rest somebody waits: a confirmation, a promise."""
    return notice.kind in (Kind.INCIDENT, Kind.MAINTENANCE)


def gets_through(pace: Pace, notice: Notice) -> bool:
    """Return whether a notice is critical, and its subscriber wants to be told of that at once."""
    return pace.critical_gets_through and notice.impact is Impact.CRITICAL


def hold(pace: Pace, notice: Notice, now: Micros, past: Past | None = None) -> Hold | None:
    """Return up to when a notice is held for a subscriber who chose ``pace``, None where it goes out now.

    Without a ``past`` the channel tells one by one: then only quiet hours count.
    """
    if not may_wait(notice) or gets_through(pace, notice):
        return None
    found = Hold(now, "")
    if past is not None:
        found = max(found, *_combining(pace, notice, past), key=lambda one: one.until)
    if pace.quiet_hours is not None and (end := quiet_until(pace.quiet_hours, found.until)) is not None:
        found = Hold(end, f"quiet hours until {clock_of(end, pace.quiet_hours.zone)}")
    return found if found.until > now else None


def _combining(pace: Pace, notice: Notice, past: Past) -> Iterator[Hold]:
    if pace.digest is not None:
        due = next_digest(pace.digest, past.untold_since)
        yield Hold(due, f"digest at {clock_of(due, pace.digest.zone)}")
    if pace.minimum_gap and past.last_left is not None:
        due = past.last_left + pace.minimum_gap * 1_000_000
        gap = f"at most one message each {span_of(pace.minimum_gap)}"
        yield Hold(due, f"{gap}, the next at {clock_of(due, notice.timezone)}")
    yield Hold(0, "")


def next_digest(digest: Digest, after: Micros) -> Micros:
    """Return when the next digest is due: of hourly ones, when clocks of the zone show a full hour."""
    zone = zone_of(digest.zone)
    if digest.every is DigestEvery.HOUR:
        shown = _shown(moment(after), zone)
        return after - after % _MINUTE + (60 - shown.minute) * _MINUTE
    today = _shown(moment(after), zone).date()
    days = (instant_of(today + _DAY * ahead, digest.at, zone) for ahead in range(-1, 4))
    return next(due for due in days if due > after)


def span_of(seconds: int) -> str:
    """Return a number of seconds as people write it: ``30m``, ``1h30m``."""
    parts = ((seconds // 3_600, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


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
