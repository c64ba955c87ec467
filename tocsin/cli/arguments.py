"""Reads what people type for cells, effects, durations and times; what cannot be read is a usage error (exit code 2)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from schemas.vocabulary import CellStatus

InternalOption = Annotated[bool, typer.Option("--internal", help="Told and shown to nobody but who works here.")]

_DURATION = re.compile(r"(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,7})s)?")


def read_cell(text: str) -> dict[str, str]:
    """Read ``component`` or ``component:region``."""
    component, colon, region = text.partition(":")
    if not component or (colon and not region):
        raise typer.BadParameter(f"{text!r} is not component or component:region, as in api:eu")
    return {"component": component, **({"region": region} if region else {})}


def read_effect(text: str) -> dict[str, str]:
    """Read ``component[:region]=status``."""
    where, equals, status = text.partition("=")
    if not equals or status not in tuple(CellStatus):
        options = ", ".join(CellStatus)
        raise typer.BadParameter(f"{text!r} is not component[:region]=status; status is one of {options}")
    return {**read_cell(where), "status": status}


def read_effects(texts: list[str] | None) -> list[dict[str, str]]:
    """Read all that was given."""
    return [read_effect(text) for text in texts or []]


def read_cells(texts: list[str] | None) -> list[dict[str, str]] | None:
    """Read all that was given; None, which means everything, for nothing."""
    return [read_cell(text) for text in texts] if texts else None


def read_duration(text: str) -> timedelta:
    """Read ``90s``, ``30m``, ``1h30m`` or ``2d``."""
    found = _DURATION.fullmatch(text)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0, 0)
    duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not duration:
        raise typer.BadParameter(f"{text!r} is not a duration such as 30m or 1h30m")
    return duration


def read_time(text: str, now: datetime) -> datetime:
    """Read ``2026-03-01T22:00`` (this machine's zone unless it names one) or ``+2h`` from ``now``; the result is UTC."""
    if text.startswith("+"):
        return now.astimezone(UTC) + read_duration(text[1:])
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a time such as 2026-03-01T22:00 or +2h") from None


def written(at: datetime) -> str:
    """Write a time as the API takes it (RFC 3339)."""
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def checked_duration(text: str | None) -> str | None:
    """Return a duration as it was typed, which is how the API takes it, once it has been read."""
    if text is not None:
        read_duration(text)
    return text
