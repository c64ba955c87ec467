"""Holds what the file keeps to find records quickly against the records: by id, and the last one of each place.

A wrong index loses nothing that was said, but lets an id in twice or breaks the chain with the next append.
"""

import sqlite3

from consumers.audit.soundness import rows_of
from streams.log.ids import hash_of
from streams.log.port import LogCorruptError


class IndexWalk:
    """Takes every record in append order; then compares, in memory that does not grow with the log."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._upto: int = next(rows_of(connection, "select upto from indexed"), (0,))[0]
        self._heads: dict[int, int] = {}
        self._sum = 0
        self._recent: dict[int, int] = {}

    def take(self, offset: int, place: int, identifier: str) -> None:
        """Note one record; raises LogCorruptError where a recent one has its id."""
        self._heads[place] = offset
        hashed = hash_of(identifier)
        if offset <= self._upto:
            self._sum ^= hash((hashed, offset))
        elif hashed in self._recent:
            raise LogCorruptError(f"the records at {self._recent[hashed]} and {offset} have one id")
        else:
            self._recent[hashed] = offset

    def require_agreement(self) -> None:
        """Raise LogCorruptError where the file's tables say anything else."""
        heads = dict(rows_of(self._connection, "select place, seq from heads"))
        for place in sorted(heads.keys() | self._heads.keys()):
            if heads.get(place) != self._heads.get(place):
                raise LogCorruptError(
                    f"the last record of place {place} is at {self._heads.get(place)}, the file says {heads.get(place)}"
                )
        found = 0
        before: tuple[int, int] | None = None
        for hashed, offset in rows_of(self._connection, "select hash, seq from ids order by hash, seq"):
            if offset > self._upto:
                continue  # a piece of what is being indexed; until that is whole, the log itself is asked
            twice = self._recent.get(hashed) or (before[1] if before is not None and before[0] == hashed else None)
            if twice is not None:
                raise LogCorruptError(f"the records at {offset} and {twice} have one id")
            found ^= hash((hashed, offset))
            before = (hashed, offset)
        if found != self._sum:
            raise LogCorruptError("the index of ids is not that of the log's records")
