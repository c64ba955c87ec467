"""What a benchmark reports: one measured figure beside its bare baseline and its target. It measures nothing itself."""

import math
from collections.abc import Sequence

import msgspec


class Metric(msgspec.Struct, frozen=True):
    """One figure. ``ratio`` is value / baseline; ``met`` is None where there is no target.

    ``target`` is in words (``<= 3``, ``ratio >= 0.5``): what ``met`` was judged by.
    """

    bench: str
    metric: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    target: str | None = None
    met: bool | None = None


def at_most(bench: str, metric: str, value: float, unit: str, limit: float, baseline: float | None = None) -> Metric:
    """Return a figure that should not exceed ``limit``; the baseline is for comparison only."""
    return Metric(bench, metric, value, unit, baseline, _ratio(value, baseline), f"<= {limit:g}", value <= limit)


def at_least(bench: str, metric: str, value: float, unit: str, baseline: float, share: float) -> Metric:
    """Return a figure that should reach ``share`` of its baseline."""
    ratio = value / baseline
    return Metric(bench, metric, value, unit, baseline, ratio, f"ratio >= {share:g}", ratio >= share)


def within(bench: str, metric: str, value: float, unit: str, baseline: float, times: float) -> Metric:
    """Return a figure that should not exceed so many times its baseline."""
    ratio = value / baseline
    return Metric(bench, metric, value, unit, baseline, ratio, f"ratio <= {times:g}", ratio <= times)


def reaches(bench: str, metric: str, value: float, unit: str, limit: float, baseline: float | None = None) -> Metric:
    """Return a figure that should reach ``limit``; the baseline is for comparison only."""
    return Metric(bench, metric, value, unit, baseline, _ratio(value, baseline), f">= {limit:g}", value >= limit)


def noted(bench: str, metric: str, value: float, unit: str, baseline: float | None = None) -> Metric:
    """Return a figure without a target."""
    return Metric(bench, metric, value, unit, baseline, _ratio(value, baseline))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that ``share`` of the values (nearest rank) do not exceed; raises ValueError on none."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _ratio(value: float, baseline: float | None) -> float | None:
    return None if not baseline else value / baseline
