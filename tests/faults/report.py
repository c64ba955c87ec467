"""The outcome of a run as a table for people."""

from collections.abc import Mapping

from tests.faults import disk
from tests.faults.run import Outcome


def of_disk(found: disk.Outcome) -> str:
    """Return a Markdown table of what was counted on a full disk."""
    return _table("the embedded log on a full disk", "", found.counts)


def of_fleet(found: Outcome) -> str:
    """Return a Markdown table of what was thrown, and one of what was counted."""
    restarted = {f"{role} ended with {code} and was started again": n for (role, code), n in found.restarted.items()}
    return "\n\n".join(
        (
            _table("fault", "times", {**dict(sorted(found.thrown.items())), **dict(sorted(restarted.items()))}),
            _table("counted", "", found.counts),
            "\n".join(found.said),
        )
    )


def _table(name: str, value: str, rows: Mapping[str, int]) -> str:
    return "\n".join(
        [f"| {name} | {value} |", "| --- | ---: |", *(f"| {one} | {count} |" for one, count in rows.items())]
    )
