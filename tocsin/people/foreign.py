"""What files of other systems have in common: columns by whatever name, lists in a cell, people without their old filter."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.people.person import FileError, LeftOut, Line, Mistake
from tocsin.people.places import Cell, Places, UnknownError

Aliases = Mapping[str, Sequence[str]]
_EMPTY = frozenset({"", "null", r"\n", "none"})
_FALSE = frozenset({"false", "no", "0", "f", "n"})
_LISTS = re.compile(r"[;|\n]")
_ABOUT_COMPONENTS = re.compile(r"component|service|group|subscription")


def plain(name: str) -> str:
    """Return a column's name in the one spelling that it is known by."""
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


def check(columns: Sequence[str], aliases: Aliases, known: Sequence[str] = ()) -> set[str]:
    """Return what the columns mean. Raises FileError for two of one meaning, and for a filter that is not understood."""
    found: dict[str, str] = {}
    for column in columns:
        meanings = [meaning for meaning, names in aliases.items() if plain(column) in names]
        for meaning in meanings:
            if meaning in found:
                raise FileError(f"line 1: the columns {found[meaning]!r} and {column!r} say the same")
            found[meaning] = column
        if not meanings and plain(column) not in known and _ABOUT_COMPONENTS.search(plain(column)):
            raise FileError(f"line 1: what the column {column!r} says is not known; call it components, or take it out")
    return set(found)


class Fields:
    """The values of a line by what they mean."""

    def __init__(self, line: Line, aliases: Aliases) -> None:
        by_name = {plain(str(name)): (str(name), value) for name, value in line.values.items()}
        self._found = {
            meaning: by_name[name] for meaning, names in aliases.items() for name in names if name in by_name
        }

    def has(self, meaning: str) -> bool:
        """Whether there is such a column, empty or not."""
        return meaning in self._found

    def column(self, meaning: str) -> str:
        """Return the column's name as the file writes it."""
        return self._found.get(meaning, (meaning, None))[0]

    def raw(self, meaning: str) -> Any:
        """Return the value, None where there is none."""
        return self._found.get(meaning, ("", None))[1]

    def text(self, meaning: str) -> str:
        """Return the value as text, empty where there is none, by any database's word for nothing."""
        value = self.raw(meaning)
        if value is None or isinstance(value, (list, dict)):
            return ""
        text = ("true" if value else "false") if isinstance(value, bool) else str(value).strip()
        return "" if text.lower() in _EMPTY else text

    def true(self, meaning: str) -> bool:
        """Whether there is a value that says yes; a time says so, too."""
        return self.text(meaning).lower() not in _FALSE | {""}

    def items(self, meaning: str, places: Places) -> list[str]:
        """Return what a list holds: JSON's, or a cell's with ``;``, ``|``, commas or lines between."""
        value = self.raw(meaning)
        text = self.text(meaning)
        if text.startswith("["):
            try:
                value = json.loads(text)
            except ValueError:
                value = None
        if isinstance(value, list):
            return [name for one in value if (name := _name(one, places))]
        if places.knows(text):
            return [text]
        parts = _LISTS.split(text) if _LISTS.search(text) else text.split(",")
        return [part.strip() for part in parts if part.strip()]


def cells_of(fields: Fields, meaning: str, places: Places) -> list[Cell] | Mistake | LeftOut | None:
    """Return the cells that somebody chose, None for everything."""
    wanted = fields.items(meaning, places)
    if not wanted:
        return None
    try:
        cells = places.cells(wanted)
    except UnknownError as error:
        return Mistake(fields.column(meaning), f"not known here: {error}; --map says what they are")
    return cells or LeftOut("chose nothing but what --map forgets")


def _name(one: Any, places: Places) -> str:
    if not isinstance(one, dict):
        return str(one).strip()
    named = [str(one[name]) for name in ("component_id", "id", "code", "name") if one.get(name) not in (None, "")]
    return next((name for name in named if places.knows(name)), named[0] if named else "")
