"""One changed byte in a data folder, wherever a byte means something; for copies only."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from streams.log.sqlite import FILE_NAME


@dataclass(frozen=True)
class Tampering:
    """Changes one byte of one column in a row that is chosen by a seed; ``command`` is what must find it."""

    name: str
    table: str
    column: str
    command: tuple[str, ...]
    where: str = "1"

    def spoil(self, folder: Path, seed: int) -> None:
        """Change the byte."""
        random = Random(f"{self.name} {seed}")
        with closing(sqlite3.connect(folder / FILE_NAME)) as connection, connection:
            # A table without row ids is addressed by all its columns.
            names = [row[1] for row in connection.execute(f"pragma table_info({self.table})")]
            rows = connection.execute(f"select * from {self.table} where {self.where}").fetchall()
            row = dict(zip(names, random.choice(rows), strict=True))
            same = " and ".join(f'"{name}" is ?' for name in names)
            statement = f"update {self.table} set {self.column} = ? where {same}"
            changed = connection.execute(statement, (_changed(row[self.column], random), *row.values())).rowcount
            assert changed == 1, f"{changed} rows were changed"


def _changed(value: Any, random: Random) -> Any:
    match value:
        case bytes():
            return _flipped(value, random, lambda byte: byte ^ (1 << random.randrange(8)))
        case str():
            # A letter for a letter, so that it stays text.
            return _flipped(value.encode(), random, lambda byte: ord("a") + (byte + 1) % 26).decode()
        case int():
            return value + 1
        case _:
            raise TypeError(type(value))


def _flipped(value: bytes, random: Random, flip: Callable[[int], int]) -> bytes:
    place = random.randrange(len(value))
    return value[:place] + bytes([flip(value[place])]) + value[place + 1 :]


_VERIFY, _CHECK = ("log", "verify"), ("replay", "--check")
TAMPERINGS = (
    Tampering("the body of an event", "log", "body", _VERIFY),
    Tampering("the schema of an event", "log", "fingerprint", _VERIFY),
    Tampering("a link of the chain", "log", "chain", _VERIFY),
    Tampering("the key of an event", "log", "key", _VERIFY),
    Tampering("a row of the status projection", "state", "value", _CHECK, "stage = 'status'"),
    Tampering("a row of the page's fold", "state", "value", _CHECK, "stage = 'pages'"),
    Tampering("a row of the subscribers", "state", "value", _CHECK, "stage = 'subscribers'"),
    Tampering("the state in the ledger", "ledger", "state", _CHECK),
    Tampering("the time in the ledger", "ledger", "at", _CHECK),
    Tampering("a notice", "notices", "notice", _CHECK),
)
