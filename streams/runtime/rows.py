"""A processor's tables and timers as rows of the embedded engine's file: loading them, and writing what changed."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from schemas.events import Micros
from schemas.shapes import decoder
from streams.domain.processor import Processor
from streams.domain.state import MemoryTable, TableSpec

_ENCODER = msgspec.json.Encoder()
_ROWS_PER_STATEMENT = 150
_KEYS_PER_SELECT = 400
_SMALL = 20_000
"""Rows up to which a lazy table is loaded whole: nothing need be looked up in the file then."""


class CorruptStateError(RuntimeError):
    """A row of a projection cannot be read; a replay makes it anew."""


def load(connection: sqlite3.Connection, processor: Processor) -> dict[str, MemoryTable[Any]]:
    """Return the processor's tables: large lazy ones empty with a loader, the others whole."""
    tables = {spec.name: _table(connection, processor.name, spec) for spec in processor.tables}
    specs = {
        spec.name: spec
        for spec in processor.tables
        if not spec.lazy or _is_small(connection, processor.name, spec.name)
    }
    for name, page, key, value in (
        connection.execute("select tbl, page, key, value from state where stage = ?", (processor.name,))
        if len(specs) == len(tables)
        else _eager_rows(connection, processor.name, specs)
    ):
        tables[name].fill(page, key, _decode(specs[name], processor.name, page, key, value))
    for name in specs:
        tables[name].whole = True
    return tables


def _is_small(connection: sqlite3.Connection, stage: str, table: str) -> bool:
    statement = "select count(*) from (select 1 from state where stage = ? and tbl = ? limit ?)"
    (count,) = connection.execute(statement, (stage, table, _SMALL + 1)).fetchone()
    return bool(count <= _SMALL)


def _eager_rows(
    connection: sqlite3.Connection, stage: str, specs: Mapping[str, TableSpec]
) -> Iterable[tuple[str, str, str, bytes]]:
    for name in specs:
        yield from connection.execute(
            "select tbl, page, key, value from state where stage = ? and tbl = ?", (stage, name)
        )


def _table(connection: sqlite3.Connection, stage: str, spec: TableSpec) -> MemoryTable[Any]:
    if not spec.lazy:
        return MemoryTable()

    def load_one(page: str, key: str) -> Any:
        row = connection.execute(
            "select value from state where stage = ? and tbl = ? and page = ? and key = ?",
            (stage, spec.name, page, key),
        ).fetchone()
        return None if row is None else _decode(spec, stage, page, key, row[0])

    return MemoryTable(load_one)


def prefetch(
    connection: sqlite3.Connection,
    processor: Processor,
    tables: Mapping[str, MemoryTable[Any]],
    wanted: Iterable[tuple[str, str, str]],
) -> None:
    """Fill lazy tables with the rows that are about to be asked for, many to a query."""
    missing: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name, page, key in wanted:
        if not tables[name].holds(page, key):
            missing[name, page].add(key)
    specs = {spec.name: spec for spec in processor.tables}
    for (name, page), keys in missing.items():
        found = fetch(connection, processor.name, specs[name], page, sorted(keys))
        for key in keys:
            if key in found:
                tables[name].fill(page, key, found[key])
            else:
                tables[name].fill_absent(page, key)


def fetch(connection: sqlite3.Connection, stage: str, spec: TableSpec, page: str, keys: list[str]) -> dict[str, Any]:
    """Return the rows of these keys that exist."""
    found = {}
    for start in range(0, len(keys), _KEYS_PER_SELECT):
        some = keys[start : start + _KEYS_PER_SELECT]
        marks = ",".join("?" * len(some))
        for key, value in connection.execute(
            f"select key, value from state where stage = ? and tbl = ? and page = ? and key in ({marks})",
            (stage, spec.name, page, *some),
        ):
            found[key] = _decode(spec, stage, page, key, value)
    return found


def _decode(spec: TableSpec, stage: str, page: str, key: str, value: bytes) -> Any:
    try:
        return decoder(spec.value).decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptStateError(f"{stage}/{spec.name}/{page}/{key}: {error}") from error


def save(
    connection: sqlite3.Connection, stage: str, tables: Mapping[str, MemoryTable[Any]], *, anew: bool = False
) -> None:
    """Write what changed in ``tables`` since the last time; ``anew`` says that the file holds none of it yet."""
    put: list[Any] = []
    gone: list[Any] = []
    for name, table in tables.items():
        for (page, key), value in table.drain().items():
            if value is None:
                gone.append((stage, name, page, key))
            else:
                put.append((stage, name, page, key, _ENCODER.encode(value)))
    put.sort()  # in the order of the table's key: neighbours share the page that they dirty
    for start in range(0, len(put), _ROWS_PER_STATEMENT):
        some = put[start : start + _ROWS_PER_STATEMENT]
        marks = ",".join(["(?,?,?,?,?)"] * len(some))
        connection.execute(
            f"insert or replace into state (stage, tbl, page, key, value) values {marks}",
            [value for row in some for value in row],
        )
    if gone and not anew:
        connection.executemany("delete from state where stage = ? and tbl = ? and page = ? and key = ?", gone)


def save_timers(connection: sqlite3.Connection, stage: str, wakes: Mapping[tuple[str, str], Micros | None]) -> None:
    """Write the wishes to be woken: by (page, timer), None takes one back."""
    put = [(stage, *where, due) for where, due in wakes.items() if due is not None]
    gone = [(stage, *where) for where, due in wakes.items() if due is None]
    if put:
        connection.executemany("insert or replace into timers (stage, page, timer, due) values (?, ?, ?, ?)", put)
    if gone:
        connection.executemany("delete from timers where stage = ? and page = ? and timer = ?", gone)
