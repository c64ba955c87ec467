"""Reads the times that monitors write. Knows no monitor; never asks the clock."""

import re
from datetime import UTC, datetime
from functools import lru_cache

from schemas.events import Micros

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400_000_000
_LONGEST = 64
_OFFSET_APART = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)")

# Epoch numbers by magnitude: seconds reach 1e11 in the year 5138, milliseconds fall below it in 1973.
_MICROS_OF_UNIT = ((10**11, 10**6, 1), (10**14, 10**3, 1), (10**17, 1, 1), (10**20, 1, 10**3))


def read_time(value: object) -> Micros | None:
    """Return the time that ``value`` says; None where it says there is none; raises ValueError if it is unreadable.

    Read are RFC 3339 with any number of digits and any offset (``+0000`` too; naive means UTC), what Go prints
    (``2026-11-22 02:47:26 +0000 UTC``), and epoch seconds, milliseconds, microseconds or nanoseconds as a number or
    as text, told apart by magnitude. Digits below a microsecond are dropped. Absent, empty, zero, negative, and anything
    up to 1970 (Go's zero time is the year 1) is no time.
    """
    if type(value) is str and len(value) <= _LONGEST:
        return _read_text(value)
    if value is None:
        return None
    if type(value) is int or type(value) is float:
        return _from_epoch(value)
    raise ValueError("not a time")


@lru_cache(maxsize=4096)
def _read_text(text: str) -> Micros | None:
    text = text.strip()
    if not text:
        return None
    number = text.removeprefix("-").replace(".", "", 1)
    if number.isascii() and number.isdigit():
        return _from_epoch(float(text) if "." in text else int(text))
    moment = _read_iso(text)
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    micros = since.days * _DAY + since.seconds * 1_000_000 + since.microseconds
    return micros if micros > 0 else None


def _read_iso(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        tidy = text.upper().removesuffix(" UTC").replace(":60", ":59")  # a leap second has no datetime
        return datetime.fromisoformat(_OFFSET_APART.sub("", tidy))


def _from_epoch(value: float) -> Micros | None:
    if value <= 0:
        return None
    for limit, times, parts in _MICROS_OF_UNIT:
        if value < limit:
            return int(value * times) // parts or None
    raise ValueError("beyond all times")
