"""Compares the live projections with a fresh replay, row by row and byte for byte, as of one moment.

It reads and never repairs: what differs is thrown away and folded anew by who finds it.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, TypeAlias

import msgspec

from consumers.audit.events import SEALED
from consumers.audit.soundness import require_sound, rows_of
from streams.log.sqlite import SqliteEventLog
from streams.runtime.replay import Progress, new_file, replay
from streams.runtime.stage import FoldStage, Stage

Row: TypeAlias = tuple[Any, ...]
_EVERYWHERE = 0
_FIRST = 1
_LONGEST = 300
_SECRET = frozenset({"address"})
_JSON = (b"{", b"[")


class Agreement(msgspec.Struct, frozen=True):
    """The live projections are what the log makes of them: ``events`` folded, ``rows`` compared."""

    events: int
    rows: int


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


def check(log: SqliteEventLog, stages: Sequence[Stage], progress: Progress | None = None) -> Agreement | Difference:
    """Replay each stage up to its own live position and compare what it then holds with the live file.

    Raises LogCorruptError where the log or the file cannot be read, StepError where a fold raises.
    """
    with log.snapshot() as live:
        upto = {stage.name: _position(live, stage.name) for stage in stages}
        (last,) = next(rows_of(live, "select coalesce(max(seq), 0) from log"))
        for stage, position in upto.items():
            if position > last + 1:
                return Difference(stage, "positions", "", str(position), f"at most {last + 1}")
        replayed = new_file()
        events = replay(log, stages, replayed, upto=upto, progress=progress).events
        rows = 0
        for part in [part for stage in stages for part in _parts(replayed, stage)]:
            if _lacks(live, part):
                continue  # the stage has never run here; what it would hold shows in its position
            require_sound(live, part.table)
            found = _compare(part, live, replayed)
            if isinstance(found, Difference):
                return found
            rows += found
        return Agreement(events, rows)


def _lacks(live: sqlite3.Connection, part: Part) -> bool:
    tables = rows_of(live, "select 1 from sqlite_master where type = 'table' and name = ?", (part.table,))
    return part.owned and _position(live, part.stage) == _FIRST and next(tables, None) is None


def _position(connection: sqlite3.Connection, stage: str) -> int:
    statement = 'select position from positions where "group" = ? and place = ?'
    found: int
    (found,) = next(rows_of(connection, statement, (stage, _EVERYWHERE)), (_FIRST,))
    return found


def _parts(connection: sqlite3.Connection, stage: Stage) -> list[Part]:
    if isinstance(stage, FoldStage):
        state = Part(stage.name, "state", ("tbl", "page", "key"), ("value",))
        return [state, Part(stage.name, "timers", ("page", "timer"), ("due",))]
    return [_own_table(connection, stage.name, table) for table in getattr(stage, "tables", ())]


def _own_table(connection: sqlite3.Connection, stage: str, table: str) -> Part:
    columns = list(rows_of(connection, f"pragma table_info({_quoted(table)})"))
    keys = tuple(name for _, name, _, _, _, rank in sorted(columns, key=lambda column: column[5]) if rank)
    return Part(stage, table, keys, tuple(name for _, name, _, _, _, rank in columns if not rank), owned=True)


def _compare(part: Part, live: sqlite3.Connection, replayed: sqlite3.Connection) -> int | Difference:
    count = 0
    for here, there in zip_longest(part.rows(live), part.rows(replayed)):
        if here != there:
            return _difference(part, here, there)
        count += 1
    return count


def _difference(part: Part, live: Row | None, replayed: Row | None) -> Difference:
    width = len(part.keys)
    if live is not None and replayed is not None and live[:width] != replayed[:width]:
        # Of two rows in order the smaller key is the one that the other side does not have.
        live, replayed = (live, None) if live[:width] < replayed[:width] else (None, replayed)
    key = "/".join(str(_plain(each)) for each in (live or replayed or ())[:width])
    here = None if live is None else _values(part, live[width:])
    there = None if replayed is None else _values(part, replayed[width:])
    if isinstance(here, dict) and isinstance(there, dict):
        same = {name for name in here.keys() & there.keys() if here[name] == there[name]}
        here, there = ({name: each[name] for name in each if name not in same} for each in (here, there))
    return Difference(part.stage, part.table, key, _text(here), _text(there))


def _values(part: Part, values: Row) -> Any:
    plain = [_plain(value) for value in values]
    return plain[0] if len(plain) == 1 else dict(zip(part.values, plain, strict=True))


def _plain(value: Any) -> Any:
    """Return a column as plain values: JSON read as such, text as text, and of other bytes their number."""
    if not isinstance(value, bytes):
        return value
    try:
        return msgspec.json.decode(value) if value[:1] in _JSON else value.decode()
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
