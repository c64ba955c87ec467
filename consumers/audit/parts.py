"""The rows of a stage in the file, and how two sides of them compare: the first row that differs, in words.

It knows tables and values, and neither the log nor a fold. What it shows of a row holds no address.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import zip_longest
from typing import Any, TypeAlias

import msgspec

from consumers.audit.events import SEALED
from consumers.audit.soundness import rows_of
from schemas.events import Micros
from schemas.shapes import decoder
from streams.runtime.stage import FoldStage, Stage

Row: TypeAlias = tuple[Any, ...]
Wishes: TypeAlias = Mapping[Row, AbstractSet[Micros | None]]
"""By page and timer (as bytes), the times that it was set to; None for taken back."""
_LONGEST = 300
_SECRET = frozenset({"address"})
_JSON = (b"{", b"[")


class Difference(msgspec.Struct, frozen=True):
    """The first row that differs: where it is, and its value in the live file and in the replay (None: no such row)."""

    stage: str
    table: str
    key: str
    live: str | None
    replayed: str | None


class Part(msgspec.Struct, frozen=True):
    """The rows of one stage in one table: ``keys`` name a row, ``values`` are what it says."""

    stage: str
    table: str
    keys: tuple[str, ...]
    values: tuple[str, ...]
    owned: bool = False

    def rows(self, connection: sqlite3.Connection) -> Iterator[Row]:
        """Yield keys and values in the order of the keys."""
        # Text is read as bytes: what is no UTF-8 is a difference, not a fault of the reader.
        names = map(_quoted, (*self.keys, *self.values))
        columns = ", ".join(
            f"case typeof({name}) when 'text' then cast({name} as blob) else {name} end" for name in names
        )
        where = "" if self.owned else "where stage = ?"
        order = ", ".join(map(_quoted, self.keys))
        statement = " ".join(("select", columns, "from", _quoted(self.table), where, "order by", order))
        return rows_of(connection, statement, () if self.owned else (self.stage,))


def parts_of(connection: sqlite3.Connection, stage: Stage) -> list[Part]:
    """Return what a stage keeps in the file; ``connection`` has its tables."""
    if isinstance(stage, FoldStage):
        state = Part(stage.name, "state", ("tbl", "page", "key"), ("value",))
        return [state, Part(stage.name, "timers", ("page", "timer"), ("due",))]
    return [_own_table(connection, stage.name, table) for table in getattr(stage, "tables", ())]


def _own_table(connection: sqlite3.Connection, stage: str, table: str) -> Part:
    columns = list(rows_of(connection, f"pragma table_info({_quoted(table)})"))
    keys = tuple(name for _, name, _, _, _, rank in sorted(columns, key=lambda column: column[5]) if rank)
    return Part(stage, table, keys, tuple(name for _, name, _, _, _, rank in columns if not rank), owned=True)


def compare(part: Part, live: sqlite3.Connection, replayed: sqlite3.Connection) -> int | Difference:
    """Return how many rows agree, or the first difference."""
    count = 0
    for here, there in zip_longest(part.rows(live), part.rows(replayed)):
        if here != there:
            return _difference(part, here, there)
        count += 1
    return count


def compare_timers(
    part: Part, live: sqlite3.Connection, replayed: sqlite3.Connection, later: Wishes
) -> int | Difference:
    """Compare timers that may be ahead of the stage's state: they may have any value that they had ``later``."""
    here = {(page, timer): due for page, timer, due in part.rows(live)}
    there = {(page, timer): due for page, timer, due in part.rows(replayed)}
    for key in sorted(here.keys() | there.keys()):
        known = here.get(key)
        if known != there.get(key) and known not in later.get(key, frozenset()):
            sides = ((*key, side[key]) if key in side else None for side in (here, there))
            return _difference(part, *sides)
    return len(here)


def _difference(part: Part, live: Row | None, replayed: Row | None) -> Difference:
    width = len(part.keys)
    if live is not None and replayed is not None and live[:width] != replayed[:width]:
        # Of two rows in order the smaller key is the one that the other side does not have.
        live, replayed = (live, None) if live[:width] < replayed[:width] else (None, replayed)
    key = "/".join(str(_plain(each)) for each in (live or replayed or ())[:width])
    here = None if live is None else _values(part, live[width:])
    there = None if replayed is None else _values(part, replayed[width:])
    if isinstance(here, dict) and isinstance(there, dict):
        here, there = _unlike(here, there)
    return Difference(part.stage, part.table, key, _text(here), _text(there))


def difference(stage: str, table: str, key: str, live: Any, replayed: Any) -> Difference:
    """Return how two values differ: bytes as rows have them, numbers, or None for what is not there."""
    here, there = _plain(live), _plain(replayed)
    if isinstance(here, dict) and isinstance(there, dict):
        here, there = _unlike(here, there)
    return Difference(stage, table, key, _text(here), _text(there))


def _unlike(here: dict[str, Any], there: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    same = {name for name in here.keys() & there.keys() if here[name] == there[name]}
    first, second = ({name: each[name] for name in each if name not in same} for each in (here, there))
    return first, second


def _values(part: Part, values: Row) -> Any:
    plain = [_plain(value) for value in values]
    return plain[0] if len(plain) == 1 else dict(zip(part.values, plain, strict=True))


def _plain(value: Any) -> Any:
    """Return a column as plain values: JSON read as such, text as text, and of other bytes their number."""
    if not isinstance(value, bytes):
        return value
    try:
        return decoder(object).decode(value) if value[:1] in _JSON else value.decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"({len(value)} bytes that cannot be read)"


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = msgspec.json.encode(_sealed(value)).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _sealed(value: Any) -> Any:
    match value:
        case dict():
            return {name: SEALED if name in _SECRET else _sealed(each) for name, each in value.items()}
        case list():
            return [_sealed(each) for each in value]
        case _:
            return value


def _quoted(name: str) -> str:
    return f'"{name}"'
