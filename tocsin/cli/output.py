"""How the command line answers people: tables, one-line notes, warnings. Scripts ask for ``--json`` instead."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_COLOURS = {
    "operational": "green",
    "resolved": "green",
    "completed": "green",
    "sent": "green",
    "delivered": "green",
    "degraded_performance": "yellow",
    "minor": "yellow",
    "partial_outage": "dark_orange",
    "major": "dark_orange",
    "in_doubt": "dark_orange",
    "major_outage": "red",
    "critical": "red",
    "failed": "red",
    "under_maintenance": "blue",
}


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Print a table, or ``empty`` where it has no rows. Values are text, never markup."""
    grid = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        grid.add_row(*(_cell(value) for value in row))
    if not grid.row_count:
        print(empty)
        return
    console = Console()
    if not console.is_terminal:  # a pipe or a file has no width: do not cut what somebody will search
        console = Console(width=10_000)
        grid.box = None
    console.print(grid)


def fields(document: Any, names: Sequence[str]) -> list[Any]:
    """Return what an object of the server holds under ``names``, in that order."""
    return [document.get(name) if isinstance(document, dict) else None for name in names]


def say(line: str) -> None:
    """Print one line of the answer; what strangers wrote cannot steer a terminal."""
    print(_printable(line))


def warn(message: str) -> None:
    """Say something that is no part of the answer."""
    print(f"tocsin: {message}", file=sys.stderr)


def cells(affects: Any) -> str:
    """Return ``api:eu major_outage, login partial_outage`` from a list of cells or effects."""
    return ", ".join(_affected(one) for one in affects or [] if isinstance(one, dict))


def _affected(one: dict[str, Any]) -> str:
    where = f"{one.get('component')}:{one['region']}" if one.get("region") else str(one.get("component"))
    return f"{where} {one['status']}" if one.get("status") else where


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _cell(value: Any) -> str:
    text = "" if value is None else _printable(str(value))
    colour = _COLOURS.get(text)
    return f"[{colour}]{escape(text)}[/]" if colour else escape(text)
