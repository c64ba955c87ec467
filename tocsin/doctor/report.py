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
class Unseen:
    """What could not be looked at from here, which is no fault; ``reason`` says how it could."""

    reason: str


Found: TypeAlias = Sequence[Finding] | Unseen


@dataclass(frozen=True)
class Check:
    """A part that is looked at, after those that it cannot be looked at without. ``look`` never raises."""

    name: str
    look: Callable[[], Found]
    needs: tuple[str, ...] = ()


@dataclass
class Report:
    """What was found, by check in their order; None for what waits until something else is mended."""

    found: dict[str, Found | None] = field(default_factory=dict)

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong."""
        return not any(findings_of(found) for found in self.found.values())

    def document(self) -> dict[str, object]:
        """Return the report for scripts."""
        checks = [
            {
                "check": name,
                "state": state_of(found),
                "findings": [{"problem": each.problem, "advice": each.advice} for each in findings_of(found)],
                **({"reason": found.reason} if isinstance(found, Unseen) else {}),
            }
            for name, found in self.found.items()
        ]
        return {"ok": self.is_well, "checks": checks}


Checks: TypeAlias = Sequence[Check]


def findings_of(found: Found | None) -> Sequence[Finding]:
    """Return what is wrong with a part."""
    return () if found is None or isinstance(found, Unseen) else found


def state_of(found: Found | None) -> str:
    """Return ``ok``, ``wrong``, ``skipped`` (something else is to be mended first) or ``unknown``."""
    match found:
        case None:
            return "skipped"
        case Unseen():
            return "unknown"
        case _:
            return "wrong" if found else "ok"


def examine(checks: Checks) -> Report:
    """Look at each part whose needs are well."""
    report = Report()
    for check in checks:
        waits = any(state_of(report.found.get(need, ())) in ("wrong", "skipped") for need in check.needs)
        report.found[check.name] = None if waits else check.look()
    return report
