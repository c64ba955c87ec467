"""When somebody wants to be told, and how often at the most, as sign-ups and their changes carry it."""

import re
from functools import cache
from typing import Annotated, Any, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictBool, WithJsonSchema, model_validator

from producers.commands.bodies.fields import Body, micros_of_duration
from schemas.events import Digest, Pace, QuietHours
from schemas.vocabulary import DigestEvery

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_LEAST_GAP, _MOST_GAP = 60_000_000, 86_400_000_000
_LIKE_A_ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,64}", re.ASCII)


@cache
def _zones() -> frozenset[str]:
    # What a machine calls its own is another one elsewhere.
    return frozenset(available_timezones() - {"localtime", "Factory"})


def _a_zone(name: str) -> str:
    if name not in _zones():
        # Nothing is quoted but what might be one: a name that was mistyped is found by seeing it.
        said = f" '{name}'" if _LIKE_A_ZONE.fullmatch(name) else ""
        raise ValueError(f"no such time zone{said}: give an IANA name, as Europe/Berlin")
    return name


def _minutes(value: object) -> int:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be a time of the day from 00:00 to 23:59, as 22:00")
    return int(found[1]) * 60 + int(found[2])


def _seconds(value: object) -> int:
    micros = micros_of_duration(value)
    if not _LEAST_GAP <= micros <= _MOST_GAP:
        raise ValueError("must be between one minute and a day, as 30m")
    return micros // 1_000_000


Zone = Annotated[str, AfterValidator(_a_zone)]
TimeOfDay = Annotated[
    int,
    BeforeValidator(_minutes),
    WithJsonSchema({"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9]$", "examples": ["22:00"]}),
]
"""A time as ``22:00``, as minutes after midnight."""


Gap = Annotated[
    int,
    BeforeValidator(_seconds),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 60, "maximum": 86_400},
                {"type": "string", "pattern": r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?$"},
            ],
            "examples": ["30m", 1800],
        }
    ),
]
"""Seconds, or a duration like ``30m``, as seconds."""


class DigestWish(Body):
    """One message that sums up what happened, instead of one for each update: on the hour, or each day at ``at``."""

    every: DigestEvery
    at: TimeOfDay | None = None
    """When, each day."""
    zone: Zone | None = None
    """An IANA time zone, as ``Europe/Berlin``, by whose clocks; absent for ``hour``: UTC."""

    @model_validator(mode="after")
    def _each_day_at(self) -> Self:
        each_day = self.every is DigestEvery.DAY
        if each_day and (self.at is None or self.zone is None):
            raise ValueError("must say at and zone, where it is each day")
        if not each_day and self.at is not None:
            raise ValueError("must not say at, where it is each hour")
        return self


class QuietTime(Body):
    """When nothing is to arrive, by the clocks of ``zone``; a ``to`` that is not after ``from`` is that of the next day."""

    from_: Annotated[TimeOfDay, Field(alias="from")]
    to: TimeOfDay
    zone: Zone
    """An IANA time zone, as ``Europe/Berlin``."""

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.from_ == self.to:
            raise ValueError("must not begin and end at the same time")
        return self


class PaceWish(Body):
    """When to be told, and how often at the most; what is absent is not wished for."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"quiet_hours": {"from": "22:00", "to": "07:00", "zone": "Europe/Berlin"}, "minimum_gap": "30m"},
                {"digest": {"every": "day", "at": "08:00", "zone": "Europe/Berlin"}},
            ],
        }
    )

    quiet_hours: QuietTime | None = None
    """What comes within these hours waits for their end; absent: none."""
    digest: DigestWish | None = None
    """One message each hour or each day; absent: one for each update."""
    minimum_gap: Gap | None = None
    """How long after a message the next one may come; what comes meanwhile is combined into it. Absent: at once."""
    critical_gets_through: StrictBool | None = None
    """Whether what is critical is told at once all the same; absent: it is."""


def pace_of(wish: PaceWish) -> Pace:
    """Return the pace that a body chooses."""
    quiet, digest = wish.quiet_hours, wish.digest
    return Pace(
        quiet_hours=None if quiet is None else QuietHours(quiet.from_, quiet.to, quiet.zone),
        digest=None if digest is None else Digest(digest.every, digest.at or 0, digest.zone or "UTC"),
        minimum_gap=wish.minimum_gap or 0,
        critical_gets_through=wish.critical_gets_through is not False,
    )


def shown(pace: Pace) -> dict[str, Any]:
    """Return a pace as an answer shows it: what ``PaceWish`` takes."""
    quiet, digest = pace.quiet_hours, pace.digest
    return {
        "quiet_hours": quiet and {"from": _clock(quiet.start), "to": _clock(quiet.end), "zone": quiet.zone},
        "digest": digest and _digest(digest),
        "minimum_gap": pace.minimum_gap or None,
        "critical_gets_through": pace.critical_gets_through,
    }


def _digest(digest: Digest) -> dict[str, Any]:
    at = {"at": _clock(digest.at)} if digest.every is DigestEvery.DAY else {}
    return {"every": digest.every, **at, "zone": digest.zone}


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
