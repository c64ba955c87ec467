"""When somebody is told, as one text: what a cell of a file and an option of the command line say. It knows no server.

``22:00-07:00 Europe/Berlin`` are quiet hours. What a time or a time zone may be is the API's to say.
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


def through_of(text: str) -> bool:
    """Read whether what is critical gets through; raises ValueError."""
    if text not in ("yes", "no"):
        raise ValueError("must be yes or no")
    return text == "yes"


def words_of(pace: Mapping[str, Any] | None) -> str:
    """Say a pace of the API in one line."""
    if pace is None or pace.get("quiet_hours") is None:
        return "at once"
    through = "" if pace["critical_gets_through"] else ", what is critical too"
    return f"not {quiet_text(pace['quiet_hours'])}{through}"
