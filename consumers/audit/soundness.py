"""Whether a table of the file can be read at all: damage below what rows say. It reads and never repairs."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from streams.log.port import LogCorruptError


def require_sound(connection: sqlite3.Connection, table: str) -> None:
    """Raise LogCorruptError where SQLite finds a table's pages or indexes damaged."""
    for (found,) in rows_of(connection, f"pragma integrity_check({table})"):
        if found != "ok":
            raise LogCorruptError(f"the file is damaged ({table}): {found}")


def rows_of(connection: sqlite3.Connection, statement: str, values: Sequence[Any] = ()) -> Iterator[Any]:
    """Yield the rows of a query; what SQLite cannot read is a LogCorruptError."""
    try:
        yield from connection.execute(statement, values)
    except sqlite3.DatabaseError as error:
        raise LogCorruptError(f"the file is damaged: {error}") from error
