"""What the page needs to know of the past: seconds by status for each day, and what follows from them for the eye."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TypeAlias

import msgspec

from schemas.vocabulary import CellStatus

DAYS = 90
"""So many days the bars show."""


class DayUptime(msgspec.Struct, frozen=True):
    """One component's day in the page's zone. ``ratio`` (0 to 1) is None where the component was not yet known.

    ``seconds`` sum up to the part of the day that is accounted for: less than a day today and on the first one.
    """

    day: date
    seconds: Mapping[CellStatus, int]
    ratio: float | None

    @property
    def accounted(self) -> int:
        """The seconds of the day that are known."""
        return sum(self.seconds.values())

    @property
    def worst(self) -> CellStatus | None:
        """The worst status that the day saw; maintenance only where nothing else was wrong. None without data."""
        if self.ratio is None:
            return None
        return next((status for status in _WORST_FIRST if self.seconds.get(status)), CellStatus.OPERATIONAL)


Uptime: TypeAlias = Mapping[str, Sequence[DayUptime]]
"""The last 90 days of each component by its id, the oldest first."""

_WORST_FIRST = (
    CellStatus.MAJOR_OUTAGE,
    CellStatus.PARTIAL_OUTAGE,
    CellStatus.DEGRADED,
    CellStatus.MAINTENANCE,
)


def overall(days: Iterable[DayUptime]) -> float | None:
    """Return the ratio of all days together, each weighed by its accounted seconds; None without any data."""
    known = [(day.ratio, day.accounted or 1) for day in days if day.ratio is not None]
    total = sum(weight for _, weight in known)
    return sum(ratio * weight for ratio, weight in known) / total if known else None


def mean(ratios: Iterable[float | None]) -> float | None:
    """Return the mean of the known ratios, as a group shows it; None without any."""
    known = [ratio for ratio in ratios if ratio is not None]
    return sum(known) / len(known) if known else None


def percent(ratio: float) -> str:
    """Return ``99.98 %``, cut off and never rounded up: only a spotless record reads ``100 %``."""
    if ratio >= 1:
        return "100 %"
    return f"{min(int(max(ratio, 0.0) * 10_000 + 1e-6), 9_999) / 100:.2f} %"
