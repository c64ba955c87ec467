"""Lazy tables: small ones are loaded whole and ask the file for nothing, large ones ask for what they need."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files

import msgspec
import pytest

from streams.domain.processor import Processor
from streams.domain.state import TableSpec
from streams.runtime import rows

FOLD = Processor("fold", (), frozenset(), (TableSpec("words", str, lazy=True),), lambda state, event, out: None)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as made:
        made.executescript((files("streams.log") / "sqlite.sql").read_text("utf-8"))
        made.executemany(
            "insert into state (stage, tbl, page, key, value) values ('fold', 'words', 'acme', ?, ?)",
            [(str(number), msgspec.json.encode(f"word {number}")) for number in range(10)],
        )
        yield made


def statements(connection: sqlite3.Connection) -> list[str]:
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    return seen


@pytest.mark.parametrize(("small", "asks"), [(10, False), (9, True)])
def test_what_is_looked_up_where(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, *, small: int, asks: bool
) -> None:
    monkeypatch.setattr(rows, "_SMALL", small)
    tables = rows.load(connection, FOLD)
    seen = statements(connection)
    rows.prefetch(connection, FOLD, tables, [("words", "acme", key) for key in ("3", "99")])
    assert [tables["words"].get("acme", key) for key in ("3", "99", "4", "98")] == ["word 3", None, "word 4", None]
    assert bool(seen) is asks
    assert tables["words"].whole is not asks


def test_a_table_that_let_go_of_its_rows_asks_again(connection: sqlite3.Connection) -> None:
    tables = rows.load(connection, FOLD)
    tables["words"].shrink(9)
    assert not tables["words"].whole
    assert tables["words"].get("acme", "3") == "word 3"
    assert tables["words"].get("acme", "99") is None
