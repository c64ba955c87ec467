"""The embedded engine: the log in one SQLite file, written by one thread with group commit, read by many.

Durability: WAL with ``synchronous=full``; an append is answered after the commit that covers it was synced. Whoever
wants more than an append in that transaction (folds, projections) attaches a pump.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from importlib.resources import files
from itertools import repeat
from pathlib import Path
from typing import Any, TypeVar

from schemas.events import AnyEvent
from schemas.topics import TOPICS, partition_of
from streams.log.bulk import insert_many
from streams.log.chain import GENESIS, link
from streams.log.group_commit import GroupCommitWriter, Pump
from streams.log.ids import RecentIds, find_indexed
from streams.log.port import (
    Appended,
    LogCorruptError,
    LogUnavailableError,
    Positions,
    Record,
    Stored,
    TopicPartition,
    record_of,
)
from streams.log.readers import Readers

T = TypeVar("T")
FILE_NAME = "tocsin.db"
STRIDE = 4096
"""A place in the file is its topic's number times this, plus the partition."""
_TAIL = 20_000
_COLUMNS = "seq, place, key, id, type, recorded_at, fingerprint, body, chain"


class SqliteEventLog:
    """An ``EventLog`` in a folder; offsets are the append order of the whole log and so have gaps in a partition."""

    def __init__(self, folder: Path, partitions: Mapping[str, int] | None = None, *, read_only: bool = False) -> None:
        self.path = folder / FILE_NAME
        declared = {topic.name: topic.partitions for topic in TOPICS} if partitions is None else dict(partitions)
        if read_only and not self.path.exists():
            raise LogUnavailableError(f"{folder} holds no log ({FILE_NAME})")
        self._closed = False
        self._readers = Readers(self.path)
        self._tail: deque[tuple[Stored, AnyEvent | None]] = deque()
        self._writer: GroupCommitWriter | None = None
        self._ids = RecentIds()
        self._heads: dict[int, tuple[int, bytes]] = {}
        self._next = 1
        if read_only:
            self._declare_read(self._readers.connection(), declared)
            return
        folder.mkdir(parents=True, exist_ok=True)
        connection = _open_for_writing(self.path)
        self._declare(connection, declared)
        self._load(connection)
        self.writer_connection = connection
        self._writer = GroupCommitWriter(connection, self)

    # --- the port ---

    def partitions(self, topic: str) -> int:
        return self._partitions[topic]

    def append(self, records: Sequence[Record]) -> list[Appended]:
        return self.submit(lambda connection: self.append_within(connection, records)).result()

    def read(self, topic: str, partition: int, start: int, limit: int) -> list[Stored]:
        rows = self._readers.query(
            f"select {_COLUMNS} from log where place = ? and seq >= ? order by seq limit ?",
            (self._place(topic, partition), start, limit),
        )
        return [self._stored(row) for row in rows]

    def end(self, topic: str) -> dict[int, int]:
        found = dict.fromkeys(range(self._partitions[topic]), 0)
        first = self._place(topic, 0)
        rows = self._readers.query(
            "select place, seq from heads where place between ? and ?", (first, first + STRIDE - 1)
        )
        return found | {place - first: seq + 1 for place, seq in rows}

    def scan(self, cursor: str | None, limit: int) -> tuple[list[Stored], str]:
        start = 0 if cursor is None else _cursor(cursor)
        found = self.read_all(start, limit)
        return found, str(found[-1].offset + 1 if found else start)

    def find(self, event_id: str) -> Stored | None:
        statement = f"select {_COLUMNS} from log where id = ? and seq "
        if self._writer is None:
            rows = self._readers.query(f"{statement} > (select upto from indexed)", (event_id,))
        else:
            recent = self._ids.recent(event_id)
            rows = [] if recent is None else self._readers.query(f"{statement} = ?", (event_id, recent[0]))
        if not rows and (indexed := find_indexed(self._readers.query, [event_id]).get(event_id)):
            rows = self._readers.query(f"{statement} = ?", (event_id, indexed[0]))
        return self._stored(rows[0]) if rows else None

    def positions(self, group: str) -> dict[TopicPartition, int]:
        rows = self._readers.query('select place, position from positions where "group" = ?', (group,))
        return {self._topic_partition(place): position for place, position in rows}

    def commit(self, group: str, positions: Positions) -> None:
        self.submit(lambda connection: self.commit_within(connection, group, positions)).result()

    def close(self) -> None:
        if self._closed:
            return
        if self._writer is not None:
            self._writer.close()
        self._closed = True
        self._readers.close()
        if self._writer is not None:
            # Last of all: who closes last moves the write-ahead log into the file, and a reader may not.
            self.writer_connection.close()

    # --- what only this engine has ---

    def submit(self, job: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        """Run ``job`` in the writer's next transaction; the future ends after the sync that covers it."""
        if self._writer is None or self._closed:
            raise LogUnavailableError("the log is closed or was opened for reading")
        return self._writer.submit(job)

    def attach(self, pump: Pump) -> None:
        """Run ``pump`` in every transaction from now on."""
        assert self._writer is not None, "a log that is read has no writer"
        self._writer.attach(pump)

    def nudge(self) -> None:
        """Wake the writer though nobody appends."""
        assert self._writer is not None, "a log that is read has no writer"
        self._writer.nudge()

    @property
    def waiting(self) -> int:
        """Jobs that wait for the writer."""
        return 0 if self._writer is None else self._writer.waiting

    @property
    def last(self) -> int:
        """The offset of the newest record, 0 in an empty log; grows before the commit."""
        return self._next - 1

    def append_events(
        self, connection: sqlite3.Connection, events: Sequence[AnyEvent], at: tuple[str, str] | None = None
    ) -> list[Appended]:
        """Append events within the writer's transaction and keep them decoded for the readers of ``fresh``."""
        topic, key = (None, None) if at is None else at
        records = [record_of(event, topic=topic, key=key) for event in events]
        return self.append_within(connection, records, events)

    def append_within(
        self,
        connection: sqlite3.Connection,
        records: Sequence[Record],
        events: Sequence[AnyEvent | None] = (),
        *,
        first: bool = False,
    ) -> list[Appended]:
        """Append within the writer's transaction; ``first`` says that none of the ids can be on the log yet."""
        places = {topic: (self._place(topic, 0), self._partitions[topic]) for topic in {one.topic for one in records}}
        known = {} if first else self._ids.find(connection, [record.id for record in records])
        heads, add, keep = self._heads, self._ids.add, self._tail.append
        seq = self._next
        answers: list[Appended] = []
        rows: list[Any] = []
        for record, event in zip(records, events or repeat(None), strict=False):
            identifier, key, fingerprint, body = record.id, record.key, record.fingerprint, record.body
            if (before := known.get(identifier)) is not None:
                answers.append(Appended(before[1] % STRIDE, before[0], duplicate=True))
                continue
            lowest, count = places[record.topic]
            partition = partition_of(key, count)
            place = lowest + partition
            previous = heads.get(place)
            chain = link(GENESIS if previous is None else previous[1], fingerprint, body)
            heads[place] = (seq, chain)
            rows.append((seq, place, key, identifier, record.type, record.recorded_at, fingerprint, body, chain))
            answers.append(Appended(partition, seq))
            known[identifier] = (seq, place)
            add(identifier, seq, place)
            keep((Stored(record, partition, seq, chain), event))
            seq += 1
        self._next = seq
        self._write(connection, rows)
        return answers

    def _write(self, connection: sqlite3.Connection, rows: list[Any]) -> None:
        insert_many(connection, f"insert into log ({_COLUMNS})", rows)
        changed = {row[1] for row in rows}
        heads = [(place, self._heads[place][0]) for place in sorted(changed)]
        insert_many(connection, "insert or replace into heads (place, seq)", heads)
        self._ids.write(connection, len(rows))

    def commit_within(self, connection: sqlite3.Connection, group: str, positions: Positions) -> None:
        """Move a group within the writer's transaction."""
        connection.executemany(
            'insert into positions ("group", place, position) values (?, ?, ?)'
            ' on conflict ("group", place) do update set position = excluded.position',
            [(group, self._place(*where), position) for where, position in positions.items()],
        )

    def fresh(self, start: int, limit: int) -> "list[tuple[Stored, AnyEvent | None]] | None":
        """Return records from offset ``start`` that are still in memory, or None where the file must be read.

        For the writer's thread: the records of its open transaction are among them.
        """
        tail = self._tail
        if start >= self._next:
            return []
        if not tail or start < tail[0][0].offset:
            return None
        first = len(tail) - (self._next - start)
        return [tail[index] for index in range(first, min(first + limit, len(tail)))]

    def passed(self, end: int) -> None:
        """Let go of the records below ``end`` that ``fresh`` kept in memory: all its readers have had them."""
        while self._tail and self._tail[0][0].offset < end:
            self._tail.popleft()

    def read_all(self, start: int, limit: int, connection: sqlite3.Connection | None = None) -> list[Stored]:
        """Return records of all partitions from offset ``start`` in append order."""
        statement = f"select {_COLUMNS} from log where seq >= ? order by seq limit ?"
        rows = (
            self._readers.query(statement, (start, limit))
            if connection is None
            else connection.execute(statement, (start, limit)).fetchall()
        )
        return [self._stored(row) for row in rows]

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read what is committed, on this thread's own connection."""
        return self._readers.query(statement, values)

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Within it, all that this thread reads is the file as of one moment, whatever is appended meanwhile."""
        with self._readers.snapshot() as connection:
            yield connection

    def mark(self) -> Any:
        """Remember what the writer's memory holds (``group_commit.Participant``)."""
        return self._next, dict(self._heads), self._ids.mark()

    def restore(self, mark: Any) -> None:
        """Forget what was appended since ``mark``."""
        self._next, self._heads = mark[0], dict(mark[1])
        while self._tail and self._tail[-1][0].offset >= self._next:
            self._ids.forget(self._tail.pop()[0].record.id)
        self._ids.restore(mark[2])

    def committed(self) -> None:
        """The transaction is durable (``group_commit.Participant``)."""
        self._ids.committed()
        while len(self._tail) > _TAIL:
            self._tail.popleft()

    # --- inside ---

    def _declare(self, connection: sqlite3.Connection, declared: Mapping[str, int]) -> None:
        connection.executescript((files("streams.log") / "sqlite.sql").read_text("utf-8"))
        for name, count in declared.items():
            connection.execute("insert or ignore into topics (name, partitions) values (?, ?)", (name, count))
        self._declare_read(connection, declared)

    def _declare_read(self, connection: sqlite3.Connection, declared: Mapping[str, int]) -> None:
        rows = connection.execute("select number, name, partitions from topics").fetchall()
        self._numbers = {name: number for number, name, _ in rows}
        self._names = {number: name for number, name, _ in rows}
        # How many partitions a topic has is decided once: another number would move keys between them.
        self._partitions: dict[str, int] = {name: count for _, name, count in rows if name in declared}

    def _load(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute("select heads.place, log.seq, log.chain from heads join log on log.seq = heads.seq")
        self._heads = {place: (seq, chain) for place, seq, chain in rows}
        self._next = max((seq for seq, _ in self._heads.values()), default=0) + 1
        self._ids.load(connection)

    def _place(self, topic: str, partition: int) -> int:
        if not 0 <= partition < self._partitions[topic]:
            raise KeyError((topic, partition))
        return int(self._numbers[topic]) * STRIDE + partition

    def _topic_partition(self, place: int) -> TopicPartition:
        return self._names[place // STRIDE], place % STRIDE

    def _stored(self, row: tuple[Any, ...]) -> Stored:
        seq, place, key, identifier, kind, recorded_at, fingerprint, body, chain = row
        try:
            topic = self._names[place // STRIDE]
        except KeyError:
            raise LogCorruptError(f"record {seq} lies in a place ({place}) that does not exist") from None
        record = Record(topic, key, identifier, kind, recorded_at, fingerprint, body)
        return Stored(record, place % STRIDE, seq, chain)


def _open_for_writing(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in (
        "journal_mode = wal",
        "synchronous = full",
        "busy_timeout = 10000",
        "cache_size = -65536",
        "wal_autocheckpoint = 4000",
        "foreign_keys = on",
    ):
        connection.execute(f"pragma {pragma}")
    return connection


def _cursor(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError("not a cursor of this log")
    return int(text)


def places(rows: Iterable[Stored]) -> dict[TopicPartition, int]:
    """Return the position behind the last of ``rows`` in each of their partitions."""
    return {(stored.record.topic, stored.partition): stored.offset + 1 for stored in rows}
