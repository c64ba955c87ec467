"""The types that fields of commands have, with their bounds, as OpenAPI and error messages show them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, WithJsonSchema

from schemas.events import Micros
from schemas.vocabulary import CellStatus

MOST_CELLS = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_LONGEST_PROMISE = 30 * 86_400
_DURATION = re.compile(r"(?=\d)(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?", re.ASCII)
_SECONDS_OF_UNIT = (86_400, 3_600, 60, 1)


class Body(BaseModel):
    """A JSON object of the command API: what it does not know it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def _printable(value: str) -> str:
    # What XML 1.0 cannot hold (feeds), mail headers cannot hold, or no person typed.
    if any((ord(char) < 32 and char not in "\n\t\r") or char in "\x7f\ufffe\uffff" for char in value):
        raise ValueError("must not have control characters")
    return value.replace("\r\n", "\n")


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be one line without control characters")
    return value


def _micros_of_time(value: object) -> Micros:
    if not isinstance(value, str) or len(value) > 40:
        raise ValueError("must be an ISO 8601 time with an offset, as 2026-11-22T22:00:00Z")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("must be an ISO 8601 time with an offset, as 2026-11-22T22:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError("must have an offset: Z, or +01:00")
    if not _FIRST.replace(tzinfo=None) <= moment.replace(tzinfo=None) < _LAST.replace(tzinfo=None):
        raise ValueError("must lie between the years 2000 and 2100")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def micros_of_duration(value: object) -> Micros:
    """Return seconds, or a duration as ``1h30m``, as microseconds; raises ValueError for what no promise may be."""
    seconds = _seconds(value)
    if not (seconds >= 1 and seconds <= _LONGEST_PROMISE):
        raise ValueError("must be between one second and 30 days")
    return round(seconds * 1_000_000)


def _seconds(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    found = _DURATION.fullmatch(value) if isinstance(value, str) and len(value) <= 30 else None
    if found is None:
        raise ValueError('must be seconds as a number, or a duration as "30m" or "1h30m"')
    return sum(int(count or 0) * unit for count, unit in zip(found.groups(), _SECONDS_OF_UNIT, strict=True))


def _an_effect(status: CellStatus) -> CellStatus:
    if status is CellStatus.MAINTENANCE:
        raise ValueError("must not be under_maintenance: schedule a maintenance instead")
    return status


def _a_disturbance(status: CellStatus) -> CellStatus:
    if status is CellStatus.OPERATIONAL:
        raise ValueError("must not be operational: an incident that begins affects something or names no cell")
    return _an_effect(status)


Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_one_line)
]
Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000), AfterValidator(_printable)
]
"""Markdown."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Moment = Annotated[int, BeforeValidator(_micros_of_time), WithJsonSchema({"type": "string", "format": "date-time"})]
"""An ISO 8601 time with an offset, as microseconds since 1970."""
Promise = Annotated[
    int,
    BeforeValidator(micros_of_duration),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 1, "maximum": _LONGEST_PROMISE},
                {"type": "string", "pattern": r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?$"},
            ],
            "examples": ["30m", 1800],
        }
    ),
]
"""Seconds, or a duration like ``30m``, as microseconds."""
OpeningStatus = Annotated[CellStatus, AfterValidator(_a_disturbance)]
UpdatedStatus = Annotated[CellStatus, AfterValidator(_an_effect)]


class CellChoice(Body):
    """A cell: a component in one region. A group means all below it, no region means all of its regions."""

    component: Name
    region: Name | None = None


class Disturbed(CellChoice):
    """What is wrong with a cell as an incident begins."""

    status: OpeningStatus


class Changed(CellChoice):
    """A cell's new status; ``operational`` says that it works again."""

    status: UpdatedStatus
