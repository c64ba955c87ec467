"""When a subscriber is told, as the form shows it: times as clocks show them, lists of what may be chosen. Pure."""

from collections.abc import Sequence
from functools import cache
from zoneinfo import available_timezones

import msgspec

from schemas.events import Pace

GAPS = {
    0: "As it happens",
    900: "Every 15 minutes at the most",
    1_800: "Every half hour at the most",
    3_600: "Every hour at the most",
    10_800: "Every three hours at the most",
}
"""What the form offers for the least seconds from one message to the next."""
_NOT_OFFERED = frozenset({"localtime", "Factory"})
_MORNING = "08:00"


class Paced(msgspec.Struct, frozen=True):
    """What the form is filled in with. ``digest`` is ``hour``, ``day`` or empty; ``gaps`` are seconds and their words."""

    quiet_from: str
    quiet_to: str
    zone: str
    digest: str
    digest_at: str
    gap: int
    gaps: Sequence[tuple[int, str]]
    critical_gets_through: bool


def paced(pace: Pace | None, zone: str) -> Paced:
    """Return what the form shows of a pace; ``zone`` is that of the page, for who has chosen none."""
    chosen = pace or Pace()
    quiet, digest = chosen.quiet_hours, chosen.digest
    named = (quiet and quiet.zone) or (digest and digest.zone) or zone
    return Paced(
        quiet_from=_clock(quiet.start) if quiet else "",
        quiet_to=_clock(quiet.end) if quiet else "",
        zone=named,
        digest=str(digest.every) if digest else "",
        digest_at=_clock(digest.at) if digest and digest.every == "day" else _MORNING,
        gap=chosen.minimum_gap,
        gaps=sorted({chosen.minimum_gap: f"Every {chosen.minimum_gap} seconds at the most", **GAPS}.items()),
        critical_gets_through=chosen.critical_gets_through,
    )


@cache
def zones() -> tuple[str, ...]:
    """Return the time zones that a form offers, by their IANA names."""
    return tuple(sorted(name for name in available_timezones() - _NOT_OFFERED if name == "UTC" or "/" in name))


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
