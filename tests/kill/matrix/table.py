"""Rows of the matrix as tables for people: each way to run a channel, or summed by class; and the classes themselves."""

from collections.abc import Mapping, Sequence

from streams.runtime.failpoints import NAMES
from tests.kill.matrix.outside import Road
from tests.kill.matrix.verdict import COUNTS, Row


def by_road(rows: Sequence[Row]) -> str:
    """Return a line for each way to run a channel and failpoint, both restarts summed."""
    return _summed("channel", [(row.road, row) for row in rows])


def by_class(rows: Sequence[Row]) -> str:
    """Return a line for each class of channels and failpoint, with a line of sums."""
    return _summed("class", [(row.kind, row) for row in rows])


def of_classes(classes: Mapping[str, Sequence[Road]]) -> str:
    """Return which ways to run channels are of which class."""
    lines = [["class", "channels"], ["---", "---"]]
    lines += [[kind, ", ".join(road.name for road in roads)] for kind, roads in classes.items()]
    return _markdown(lines)


def _summed(title: str, rows: Sequence[tuple[str, Row]]) -> str:
    kinds = dict.fromkeys(kind for kind, _ in rows)
    lines = [[title, "failpoint", "kills", *COUNTS], ["---", "---", *["---:"] * (len(COUNTS) + 1)]]
    for kind in kinds:
        for failpoint in NAMES:
            of_cell = [row for found, row in rows if found == kind and row.failpoint == failpoint]
            if of_cell:
                lines.append([kind, f"`{failpoint}`", *_sums(of_cell)])
    lines.append(["**all**", "", *_sums([row for _, row in rows])])
    return _markdown(lines)


def _sums(rows: Sequence[Row]) -> list[str]:
    kills = sum(1 if row.restart == "once" else 2 for row in rows)
    return [str(kills), *(str(sum(row.counts[name] for row in rows)) for name in COUNTS)]


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
