"""Times as a page shows them: microseconds become local times of the page's zone; nothing here asks for the time."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.events import Micros

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Micros = (datetime(9999, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def zone_of(name: str) -> tzinfo:
    """Return the zone of this IANA name; UTC where there is none, because a page must show something."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):  # ValueError: not even the form of a name
        return UTC


def local(at: Micros, zone: tzinfo) -> datetime:
    """Return the moment in the zone's local time; one that no calendar holds becomes the nearest that it does."""
    return (_EPOCH + timedelta(microseconds=min(max(at, 0), _LAST))).astimezone(zone)


def stamp(at: Micros, zone: tzinfo) -> str:
    """Return ISO 8601 with milliseconds and the zone's offset; ``Z`` in UTC itself, ``+00:00`` in a London winter.

    Clients of Statuspage slice the milliseconds and the colon by position, so both are always there.
    """
    text = local(at, zone).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if local(at, zone).tzname() == "UTC" else text


def moment(at: Micros, zone: tzinfo) -> str:
    """Return a time for people: ``22 Nov 2026, 14:05 CET``."""
    when = local(at, zone)
    return f"{day_of(when)}, {when:%H:%M %Z}"


def clock(at: Micros, zone: tzinfo) -> str:
    """Return the time of day for people: ``14:05 CET``."""
    return f"{local(at, zone):%H:%M %Z}"


def day_of(when: date) -> str:
    """Return a date for people: ``22 Nov 2026``."""
    return f"{when.day} {when:%b %Y}"
