"""The log in memory: the reference that says in the fewest lines what the other engines must do."""

from collections.abc import Mapping, Sequence
from threading import Lock

from schemas.topics import TOPICS, partition_of
from streams.log.chain import GENESIS, link
from streams.log.port import Appended, LogUnavailableError, Positions, Record, Stored, TopicPartition

DECLARED = {topic.name: topic.partitions for topic in TOPICS}


class MemoryEventLog:
    """An ``EventLog`` that lives and dies with the process; offsets are contiguous."""

    def __init__(self, partitions: Mapping[str, int] | None = None) -> None:
        self._partitions = dict(DECLARED if partitions is None else partitions)
        self._log: list[Stored] = []
        self._split: dict[TopicPartition, list[Stored]] = {
            (topic, partition): [] for topic, count in self._partitions.items() for partition in range(count)
        }
        self._ids: dict[str, Stored] = {}
        self._positions: dict[str, dict[TopicPartition, int]] = {}
        self._lock = Lock()
        self._closed = False

    def partitions(self, topic: str) -> int:
        return self._partitions[topic]

    def append(self, records: Sequence[Record]) -> list[Appended]:
        with self._lock:
            self._require_open()
            for record in records:
                self.partitions(record.topic)
            return [self._append(record) for record in records]

    def _append(self, record: Record) -> Appended:
        if (known := self._ids.get(record.id)) is not None:
            return Appended(known.partition, known.offset, duplicate=True)
        partition = partition_of(record.key, self._partitions[record.topic])
        line = self._split[record.topic, partition]
        previous = line[-1].chain if line else GENESIS
        stored = Stored(record, partition, len(line), link(previous, record.fingerprint, record.body))
        line.append(stored)
        self._log.append(stored)
        self._ids[record.id] = stored
        return Appended(partition, stored.offset)

    def read(self, topic: str, partition: int, start: int, limit: int) -> list[Stored]:
        self._require_open()
        return self._split[topic, partition][start : start + limit]

    def end(self, topic: str) -> dict[int, int]:
        self._require_open()
        return {partition: len(self._split[topic, partition]) for partition in range(self._partitions[topic])}

    def scan(self, cursor: str | None, limit: int) -> tuple[list[Stored], str]:
        self._require_open()
        start = 0 if cursor is None else _number(cursor)
        found = self._log[start : start + limit]
        return found, str(start + len(found))

    def find(self, event_id: str) -> Stored | None:
        self._require_open()
        return self._ids.get(event_id)

    def positions(self, group: str) -> dict[TopicPartition, int]:
        self._require_open()
        return dict(self._positions.get(group, {}))

    def commit(self, group: str, positions: Positions) -> None:
        with self._lock:
            self._require_open()
            self._positions.setdefault(group, {}).update(positions)

    def close(self) -> None:
        self._closed = True

    def _require_open(self) -> None:
        if self._closed:
            raise LogUnavailableError("the log is closed")


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise ValueError("not a cursor of this log")
    return int(cursor)
