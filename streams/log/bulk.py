"""Many rows with few statements of few shapes; it knows SQLite and no table.

Each statement gives up the interpreter's lock and takes it back, and each new shape of one is compiled: so rows go
in hundreds, what is left in tens, and then one by one.
"""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

_SIZES = (100, 10, 1)


def insert_many(connection: sqlite3.Connection, into: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert ``rows`` of equal length; ``into`` is the statement up to and without ``values``."""
    if not rows:
        return
    row = f"({','.join('?' * len(rows[0]))})"
    done = 0
    for size in _SIZES:
        statement = f"{into} values {','.join([row] * size)}"
        while len(rows) - done >= size:
            connection.execute(statement, list(chain.from_iterable(rows[done : done + size])))
            done += size
