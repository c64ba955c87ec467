"""Our own file of subscribers: what ``tocsin subscriber export`` writes and ``import`` takes. It reads and writes no file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tocsin.people.pace import digest_of, digest_text, gap_text, quiet_of, quiet_text, through_of
from tocsin.people.person import FileError, LeftOut, Line, Mistake, Person, Reading
from tocsin.people.places import Places, cell_of

COLUMNS = (
    "channel", "address", "secret", "state", "cells", "min_impact", "kinds", "quiet_hours", "digest", "minimum_gap",
    "critical_gets_through",
    "audience", "id", "created_at",
)  # fmt: skip
_NEEDED = ("channel", "address")


def row_of(subscriber: Mapping[str, Any]) -> list[str]:
    """Return the cells of an exported subscriber, in the order of ``COLUMNS``."""
    wanted, pace = subscriber["filter"], subscriber.get("pace") or {}
    cells = [
        f"{cell['component']}:{cell['region']}" if cell["region"] else cell["component"]
        for cell in wanted["cells"] or ()
    ]
    return [
        subscriber["channel"],
        subscriber["address"],
        subscriber["secret"] or "",
        subscriber["state"],
        " ".join(cells),
        wanted["min_impact"],
        " ".join(wanted["kinds"]),
        quiet_text(pace.get("quiet_hours")),
        digest_text(pace.get("digest")),
        gap_text(pace.get("minimum_gap")),
        "no" if pace.get("critical_gets_through") is False else "",
        subscriber.get("audience") or "",
        subscriber["id"],
        subscriber["created_at"],
    ]


def check(columns: Sequence[str]) -> None:
    """Refuse columns that are not ours: a filter under another name would be no filter."""
    for name in columns:
        if name and name not in COLUMNS:
            raise FileError(f"line 1: there is no column {name!r}; there are {', '.join(COLUMNS)}")
    for name in _NEEDED:
        if name not in columns:
            raise FileError(f"line 1: the column {name} is missing")


def read(line: Line, _places: Places) -> Iterator[Reading]:
    """Read a line. Who was paused, suppressed or removed where it comes from is left out."""
    given = {name: line.values.get(name) or None for name in COLUMNS}
    for name in _NEEDED:
        if given[name] is None:
            yield Mistake(name, "is missing")
            return
    try:
        pace = _pace(given)
    except _ColumnError as error:
        yield Mistake(error.column, str(error))
        return
    match given["state"]:
        case "paused" | "suppressed" | "removed" as state:
            yield LeftOut(f"was {state} there")
        case None | "active" | "pending" as state:
            yield Person(
                channel=str(given["channel"]),
                address=str(given["address"]),
                agreed=state != "pending",
                secret=given["secret"],
                cells=None if given["cells"] is None else [cell_of(text) for text in given["cells"].split()],
                min_impact=given["min_impact"],
                kinds=None if given["kinds"] is None else given["kinds"].split(),
                pace=pace,
                audience=given["audience"],
            )
        case _:
            yield Mistake("state", "must be active, paused, pending, suppressed or removed")


class _ColumnError(ValueError):
    """A cell that cannot be read, and its column."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column


_PACE: Mapping[str, Callable[[str], Any]] = {
    "quiet_hours": quiet_of,
    "digest": digest_of,
    "minimum_gap": str,
    "critical_gets_through": through_of,
}


def _pace(given: Mapping[str, str | None]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column, read_cell in _PACE.items():
        if (text := given[column]) is not None:
            try:
                found[column] = read_cell(text)
            except ValueError as error:
                raise _ColumnError(column, str(error)) from None
    return found
