"""When somebody is told, as one text: what a cell of a file and an option of the command line say. It knows no server.

``22:00-07:00 Europe/Berlin`` are quiet hours, ``hour`` and ``08:00 Europe/Berlin`` digests, ``30m`` is a gap. What a time or a time zone may be is the API's to say.
"""

from collections.abc import Mapping
from typing import Any


def quiet_of(text: str) -> dict[str, str]:
    """Read quiet hours as the API takes them; raises ValueError."""
    times, _, zone = text.strip().partition(" ")
    start, dash, end = times.partition("-")
    if not (start and dash and end and zone.strip()):
        raise ValueError("must be as 22:00-07:00 Europe/Berlin")
    return {"from": start, "to": end, "zone": zone.strip()}


def quiet_text(quiet: Mapping[str, Any] | None) -> str:
    """Write quiet hours of the API, the empty text for none."""
    return "" if quiet is None else f"{quiet['from']}-{quiet['to']} {quiet['zone']}"


def digest_of(text: str) -> dict[str, str]:
    """Read when a digest comes as the API takes it; raises ValueError."""
    when, _, zone = text.strip().partition(" ")
    said = {"zone": zone.strip()} if zone.strip() else {}
    if when == "hour":
        return {"every": "hour", **said}
    if not (":" in when and said):
        raise ValueError("must be hour, or a time of each day as 08:00 Europe/Berlin")
    return {"every": "day", "at": when, **said}


def digest_text(digest: Mapping[str, Any] | None) -> str:
    """Write when a digest of the API comes, the empty text for none."""
    return "" if digest is None else f"{digest.get('at') or 'hour'} {digest['zone']}"


def gap_text(seconds: int | None) -> str:
    """Write a gap of the API, the empty text for none."""
    return f"{seconds // 60}m" if seconds and seconds % 60 == 0 else f"{seconds}s" if seconds else ""


def through_of(text: str) -> bool:
    """Read whether what is critical gets through; raises ValueError."""
    if text not in ("yes", "no"):
        raise ValueError("must be yes or no")
    return text == "yes"


def words_of(pace: Mapping[str, Any] | None) -> str:
    """Say a pace of the API in one line."""
    given = pace or {}
    parts = []
    if given.get("digest"):
        parts.append(f"by a digest, {digest_text(given['digest'])}")
    if given.get("minimum_gap"):
        parts.append(f"each {gap_text(given['minimum_gap'])} at the most")
    if given.get("quiet_hours"):
        parts.append(f"not {quiet_text(given['quiet_hours'])}")
    if parts and not given.get("critical_gets_through", True):
        parts.append("what is critical too")
    return ", ".join(parts) or "at once"
