"""Which record has which id: the newest in memory, the others in a table that is brought up in sorted pieces.

An id is random, so an index that followed every append would dirty one page of the file for every record. Instead the
ids above a mark are held in memory, and read from the log again when it is opened; when there are many, they are
written in the order of the index, a piece with each append. What is found is the same at every moment.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Any, TypeAlias

from streams.log.bulk import insert_many

Where: TypeAlias = tuple[int, int]
"""Offset and place."""
Row: TypeAlias = tuple[int, int]
"""Hash and offset."""
Query: TypeAlias = Callable[[str, Sequence[Any]], Iterable[tuple[Any, ...]]]
"""Runs a statement on whatever connection sees what it should."""
_HALF = 1 << 63
_VERSION = 1
"""Of the way in which ids are hashed."""
GENERATION = 32_768
"""Ids that are gathered before they are written: more of them share the pages that they dirty."""
_FOUND = (
    "select log.id, log.seq, log.place from ids join log on log.seq = ids.seq"
    " where ids.hash in (select value from json_each(?))"
)


class RecentIds:
    """The ids above the mark, for the writer's thread; ``recent`` may be called from any.

    ``_old`` is the generation that is being written in the order ``_order``, of which ``_written`` are in the table;
    ``_young`` gathers the next one.
    """

    def __init__(self) -> None:
        self._young: dict[str, Where] = {}
        self._old: dict[str, Where] = {}
        self._order: list[Row] = []
        self._written = 0

    def load(self, connection: sqlite3.Connection) -> None:
        """Read the ids above the mark from the log: all of them where the table's hashes were made in another way."""
        if connection.execute("pragma user_version").fetchone()[0] != _VERSION:
            connection.execute("delete from ids")
            connection.execute("update indexed set upto = 0")
            connection.execute(f"pragma user_version = {_VERSION}")
        rows = connection.execute("select id, seq, place from log where seq > (select upto from indexed)")
        self._young = {identifier: (seq, place) for identifier, seq, place in rows}

    def find(self, connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, Where]:
        """Return those of ``ids`` that the log has; sees the open transaction."""
        found = {identifier: where for identifier in ids if (where := self.recent(identifier)) is not None}
        rest = [identifier for identifier in ids if identifier not in found]
        return found | find_indexed(connection.execute, rest)

    def recent(self, identifier: str) -> Where | None:
        """Return where a record above the mark lies, or will lie when its transaction is committed."""
        # The young first: what leaves it is in the old one before.
        return self._young.get(identifier) or self._old.get(identifier)

    def add(self, identifier: str, seq: int, place: int) -> None:
        """Note an appended record."""
        self._young[identifier] = (seq, place)

    def forget(self, identifier: str) -> None:
        """Take back ``add``."""
        self._young.pop(identifier, None)
        self._old.pop(identifier, None)

    def write(self, connection: sqlite3.Connection, appended: int) -> None:
        """Write a piece of what waits to be written; twice what was appended, so that it never falls behind."""
        if not self._order:
            if len(self._young) < GENERATION:
                return
            self._old, self._young = self._young, {}
            self._order = sorted((hash_of(identifier), seq) for identifier, (seq, _) in self._old.items())
        piece = self._order[self._written : self._written + 2 * appended]
        insert_many(connection, "insert or ignore into ids (hash, seq)", piece)
        self._written += len(piece)
        if self._written == len(self._order):
            upto = max((seq for seq, _ in self._old.values()), default=0)
            connection.execute("update indexed set upto = max(upto, ?)", (upto,))

    def mark(self) -> int:
        """Return what ``restore`` needs."""
        return self._written

    def restore(self, mark: int) -> None:
        """Forget what was written since ``mark``; what was added is taken back by ``forget``."""
        self._written = min(mark, self._written)

    def committed(self) -> None:
        """What was written is durable."""
        if self._order and self._written == len(self._order):
            self._old, self._order, self._written = {}, [], 0


def hash_of(identifier: str) -> int:
    """Return 64 bits of an id, as SQLite's signed integer.

    Our own ids are hashes in hex digits already and give their first 64 bits; a stranger's id is hashed here.
    """
    try:
        bits = int(identifier[:16], 16)
    except ValueError:
        bits = -1
    if bits >= 0:
        return bits - _HALF
    return int.from_bytes(blake2b(identifier.encode(), digest_size=8).digest(), "big", signed=True)


def find_indexed(query: Query, ids: Iterable[str]) -> dict[str, Where]:
    """Return those of ``ids`` that the table has; ids of equal hash are told apart by the log."""
    wanted = {identifier: hash_of(identifier) for identifier in ids}
    if not wanted:
        return {}
    rows = query(_FOUND, (json.dumps(list(wanted.values())),))
    return {identifier: (seq, place) for identifier, seq, place in rows if identifier in wanted}
