"""When somebody wants to be told, and how often at the most, as sign-ups and their changes carry it."""

import re
from functools import cache
from typing import Annotated, Any, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictBool, WithJsonSchema, model_validator

from producers.commands.bodies.fields import Body
from schemas.events import Pace, QuietHours

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
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


Zone = Annotated[str, AfterValidator(_a_zone)]
TimeOfDay = Annotated[
    int,
    BeforeValidator(_minutes),
    WithJsonSchema({"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9]$", "examples": ["22:00"]}),
]
"""A time as ``22:00``, as minutes after midnight."""


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
            "examples": [{"quiet_hours": {"from": "22:00", "to": "07:00", "zone": "Europe/Berlin"}}],
        }
    )

    quiet_hours: QuietTime | None = None
    """What comes within these hours waits for their end; absent: none."""
    critical_gets_through: StrictBool | None = None
    """Whether what is critical is told at once all the same; absent: it is."""


def pace_of(wish: PaceWish | Any) -> Pace:
    """Return the pace that a body with these fields chooses."""
    quiet: QuietTime | None = wish.quiet_hours
    return Pace(
        quiet_hours=None if quiet is None else QuietHours(quiet.from_, quiet.to, quiet.zone),
        critical_gets_through=wish.critical_gets_through is not False,
    )


def shown(pace: Pace) -> dict[str, Any]:
    """Return a pace as an answer shows it: what ``PaceWish`` takes."""
    quiet = pace.quiet_hours
    return {
        "quiet_hours": None
        if quiet is None
        else {"from": _clock(quiet.start), "to": _clock(quiet.end), "zone": quiet.zone},
        "critical_gets_through": pace.critical_gets_through,
    }


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
