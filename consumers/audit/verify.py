"""Verifies a log: walks it in append order and holds every record against its chain, its columns and its place.

It reads and never repairs. Every body is decoded; what the events mean is judged elsewhere (``check``).
"""

import re
import sqlite3
from collections.abc import Callable, Iterable
from typing import TypeAlias

import msgspec

from consumers.audit.index import IndexWalk
from consumers.audit.records import Columns, RecordCheck
from consumers.audit.soundness import require_sound, rows_of
from schemas.events import Micros
from streams.domain.processor import Processor
from streams.log.chain import GENESIS, head, link
from streams.log.port import LogCorruptError, TopicPartition
from streams.log.sqlite import STRIDE, SqliteEventLog

Progress: TypeAlias = Callable[[int], None]
"""Told now and then the offset that was reached."""
Row: TypeAlias = tuple[int, int, bytes, bytes, bytes, Micros, bytes, bytes, bytes]
_PROGRESS_EVERY = 2_000
# Text that is no UTF-8 would stop the driver: read as bytes it is a difference like any other.
_SELECT = (
    "select seq, place, cast(key as blob), cast(id as blob), cast(type as blob), recorded_at, fingerprint, body, chain"
    " from log order by seq"
)
_NOTED = re.compile(r"(?:([0-9]{1,18})-)?([0-9a-f]{64})")


class Noted(msgspec.Struct, frozen=True):
    """A head that was noted earlier; without an offset it is the head as of any."""

    offset: int | None
    hash: str


def noted(text: str) -> Noted:
    """Read ``<offset>-<64 hex digits>`` or the digits alone; raises ValueError."""
    found = _NOTED.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError("a head is <offset>-<64 hex digits>, or the 64 digits alone")
    return Noted(None if found[1] is None else int(found[1]), found[2])


class Verified(msgspec.Struct, frozen=True):
    """A log that holds together: its events, how many partitions have any, its last offset, and its hash."""

    events: int
    partitions: int
    offset: int
    hash: str

    @property
    def head(self) -> str:
        """The head as one word, to be noted elsewhere: whoever can rewrite a log can rewrite its chain."""
        return f"{self.offset}-{self.hash}"


def verify(
    log: SqliteEventLog,
    processors: Iterable[Processor],
    *,
    known_head: Noted | None = None,
    progress: Progress | None = None,
) -> Verified:
    """Return what a sound log holds; raises LogCorruptError with the place of the first fault and what differs there.

    ``processors`` say where their timers belong. With ``known_head`` the log must have had that head.
    """
    with log.snapshot() as connection:
        require_sound(connection, "log")
        walk = _Walk(connection, processors, known_head)
        for row in rows_of(connection, _SELECT):
            walk.take(row)
            if progress is not None and walk.events % _PROGRESS_EVERY == 0:
                progress(walk.offset)
        walk.require_head()
        walk.index.require_agreement()
        _require_positions(connection, walk.offset)
    return Verified(walk.events, len(walk.links), walk.offset, head(walk.links))


class _Walk:
    """What is known of the log up to the record that was taken last."""

    def __init__(
        self, connection: sqlite3.Connection, processors: Iterable[Processor], known_head: Noted | None
    ) -> None:
        self.events = 0
        self.offset = 0
        self.links: dict[TopicPartition, bytes] = {}
        self.index = IndexWalk(connection)
        topics = list(rows_of(connection, "select number, cast(name as blob), partitions from topics"))
        self._topics = {number: (_text(name), count) for number, name, count in topics}
        self._check = RecordCheck(processors)
        self._known_head = known_head
        self._head_was_met = False
        self._compare_head()

    def take(self, row: Row) -> None:
        """Hold one record against what came before it and against itself."""
        offset, place, key, identifier, kind, recorded_at, fingerprint, body, chain = row
        topic, count = self._topics.get(place // STRIDE, ("?", 0))
        partition = place % STRIDE
        where = f"{topic}[{partition}]@{offset}"
        if offset != self.offset + 1:
            raise LogCorruptError(f"{where}: the records between {self.offset} and {offset} are missing")
        if partition >= count:
            raise LogCorruptError(f"{where}: there is no such partition")
        expected = link(self.links.get((topic, partition), GENESIS), fingerprint, body)
        if expected != chain:
            raise LogCorruptError(f"{where}: the chain breaks: the body, its schema, or a record before it was changed")
        columns = Columns(_text(identifier), _text(kind), recorded_at)
        self._check.require(where, columns, (fingerprint, body), (topic, _text(key)), (partition, count))
        self.index.take(offset, place, _text(identifier))
        self.links[topic, partition] = chain
        self.offset = offset
        self.events += 1
        self._compare_head()

    def require_head(self) -> None:
        """Raise where the noted head was not met on the way."""
        if self._known_head is None or self._head_was_met:
            return
        if self._known_head.offset is None:
            raise LogCorruptError(f"at no offset up to {self.offset} had the log the head {self._known_head.hash}")
        raise LogCorruptError(
            f"the log ends at {self.offset}, before the noted {self._known_head.offset}: records were cut off"
        )

    def _compare_head(self) -> None:
        known = self._known_head
        if known is None or self._head_was_met or (known.offset is not None and known.offset != self.offset):
            return
        found = head(self.links)
        self._head_was_met = found == known.hash
        if known.offset is not None and not self._head_was_met:
            raise LogCorruptError(f"as of offset {self.offset} the head is {found}, and {known.hash} was noted")


def _require_positions(connection: sqlite3.Connection, last: int) -> None:
    statement = 'select cast("group" as blob), position from positions where position > ?'
    for group, position in rows_of(connection, statement, (last + 1,)):
        raise LogCorruptError(
            f"the log ends at {last}, and {_text(group)} has read up to {position - 1}: records were cut off"
        )


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
