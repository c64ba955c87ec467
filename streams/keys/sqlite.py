"""Keeps wrapped keys in a SQLite file of their own; it seals nothing and knows no address."""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock

import msgspec

from streams.keys.store import Kept

FILE_NAME = "keys.db"
_SCHEMA = """
create table if not exists keys (
    owner   text primary key,
    wrapped blob not null,
    lookup  blob
) strict, without rowid;
create index if not exists keys_by_lookup on keys (lookup) where lookup is not null;
"""
_OF_MANY = "select owner, wrapped, lookup from keys where owner in (select value from json_each(?))"


class SqliteKeyStore:
    """The ``KeyStore`` of one process. Errors are sqlite3's own."""

    remembered: float | None = None

    def __init__(self, path: Path | str) -> None:
        """Open the file at ``path``, or make it (``:memory:`` for tests)."""
        self._lock = Lock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = full")
        self._connection.execute("pragma secure_delete = on")
        self._connection.executescript(_SCHEMA)

    def add(self, owner: str, kept: Kept) -> None:
        with self._lock:
            self._connection.execute(
                "insert or ignore into keys (owner, wrapped, lookup) values (?, ?, ?)",
                (owner, kept.wrapped, kept.lookup),
            )

    def add_all(self, kept: Sequence[tuple[str, Kept]]) -> None:
        rows = [(owner, each.wrapped, each.lookup) for owner, each in kept]
        with self._lock:
            self._connection.execute("begin immediate")
            try:
                self._connection.executemany(
                    "insert or ignore into keys (owner, wrapped, lookup) values (?, ?, ?)", rows
                )
                self._connection.execute("commit")
            except BaseException:  # whatever it was: the next one begins anew
                self._connection.execute("rollback")
                raise

    def fill(self, kept: Iterable[tuple[str, Kept]]) -> int:
        """Keep all of these in one step, in a store that is new; return how many there were."""
        rows = [(owner, each.wrapped, each.lookup) for owner, each in kept]
        with self._lock:
            self._connection.execute("begin immediate")
            self._connection.executemany("insert into keys (owner, wrapped, lookup) values (?, ?, ?)", rows)
            self._connection.execute("commit")
        return len(rows)

    def get(self, owner: str) -> Kept | None:
        with self._lock:
            row = self._connection.execute("select wrapped, lookup from keys where owner = ?", (owner,)).fetchone()
        return None if row is None else Kept(*row)

    def get_all(self, owners: Sequence[str]) -> dict[str, Kept]:
        wanted = msgspec.json.encode(owners).decode()
        with self._lock:
            rows = self._connection.execute(_OF_MANY, (wanted,)).fetchall()
        return {owner: Kept(wrapped, lookup) for owner, wrapped, lookup in rows}

    def find(self, lookup: bytes) -> list[str]:
        with self._lock:
            rows = self._connection.execute(
                "select owner from keys where lookup = ? order by owner", (lookup,)
            ).fetchall()
        return [owner for (owner,) in rows]

    def erase(self, owner: str) -> bool:
        with self._lock:
            gone = self._connection.execute("delete from keys where owner = ?", (owner,)).rowcount
            # Until then the erased row stands in the write-ahead log, and its key in what the file was.
            self._connection.execute("pragma wal_checkpoint(truncate)")
        return gone > 0

    def owners(self) -> Iterable[str]:
        with self._lock:
            return [owner for (owner,) in self._connection.execute("select owner from keys")]

    def close(self) -> None:
        self._connection.close()
