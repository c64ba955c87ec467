"""A list of checks in the order in which their findings are to be mended, and what they found. It knows no check."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class Finding:
    """What is wrong, and what to do about it."""

    problem: str
    advice: str


@dataclass(frozen=True)
class Check:
    """A part that is looked at, after those that it cannot be looked at without. ``look`` never raises."""

    name: str
    look: Callable[[], Sequence[Finding]]
    needs: tuple[str, ...] = ()


@dataclass
class Report:
    """What was found, by check in their order; None for what could not be looked at."""

    found: dict[str, Sequence[Finding] | None] = field(default_factory=dict)

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.found.values())

    def document(self) -> dict[str, object]:
        """Return the report for scripts."""
        checks = [
            {
                "check": name,
                "state": "skipped" if findings is None else "wrong" if findings else "ok",
                "findings": [{"problem": each.problem, "advice": each.advice} for each in findings or ()],
            }
            for name, findings in self.found.items()
        ]
        return {"ok": self.is_well, "checks": checks}


Checks: TypeAlias = Sequence[Check]


def examine(checks: Checks) -> Report:
    """Look at each part whose needs are well."""
    report = Report()
    for check in checks:
        waits = any(report.found.get(need) or report.found.get(need, ()) is None for need in check.needs)
        report.found[check.name] = None if waits else check.look()
    return report
