"""What an event log promises, whichever engine keeps it. The contract suite in ``tests/contract/log`` is its other half."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

import msgspec

from schemas import codec, topics
from schemas.events import AnyEvent, Micros

TopicPartition: TypeAlias = tuple[str, int]
Positions: TypeAlias = Mapping[TopicPartition, int]
"""For each partition the offset of the next record to read; a partition that is absent is read from 0."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """An event ready to be appended. ``body`` is the Avro record, ``fingerprint`` names its schema (8 bytes).

    ``origin`` says which emission of a stream processor this is (see ``streams.log.origin``), empty for whatever else;
    an engine on which nothing is emitted twice need not keep it.
    """

    topic: str
    key: str
    id: str
    type: str
    recorded_at: Micros
    fingerprint: bytes
    body: bytes
    origin: str = ""


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A record as the log holds it. Offsets grow within a partition; they need not be contiguous.

    ``chain`` is the partition's hash chain up to and including this record (32 bytes; see ``streams.log.chain``). It is
    empty where an engine that computes it while reading was told to spare it, or starts within a partition.
    """

    record: Record
    partition: int
    offset: int
    chain: bytes

    @property
    def place(self) -> str:
        """Where the record lies, for messages to people."""
        return f"{self.record.topic}[{self.partition}]@{self.offset}"


class Appended(msgspec.Struct, frozen=True, gc=False):
    """Where a record lies; ``duplicate`` says that a record of this id lay there before and nothing was written.

    An engine that cannot look up ids (Kafka) never sets ``duplicate``: every consumer accepts an event twice.
    """

    partition: int
    offset: int
    duplicate: bool = False


class LogError(Exception):
    """The root of what a log raises."""


class LogUnavailableError(LogError):
    """The log cannot take or give records now (disk full, broker gone, closed); nothing was acknowledged."""


class LogCorruptError(LogError):
    """What the log holds contradicts itself; the message says where."""


class RecordTooLargeError(LogError):
    """A record is larger than the log takes; repeating will not help. Nothing was written."""


class EventLog(Protocol):
    """An append-only log of records in topics, each split into partitions by key.

    Order exists within a partition, so within a key, and nowhere else. All methods may be called from any thread
    and block until they are done. ``LogUnavailableError`` may come from any of them.
    """

    def partitions(self, topic: str) -> int:
        """Return the number of partitions of ``topic``; raises KeyError for a topic that is not declared."""

    def append(self, records: Sequence[Record]) -> list[Appended]:
        """Append ``records`` in order, all or none, and return when they are durable; raises RecordTooLargeError.

        Durable means that they survive ``kill -9`` and a power cut. Concurrent callers may share one sync.
        A log that splits its records over servers (Kafka) may on an error have stored some: the caller repeats.
        """

    def read(self, topic: str, partition: int, start: int, limit: int) -> list[Stored]:
        """Return up to ``limit`` records at offsets ``>= start`` in order; an empty list at the end.

        Only durable records are seen.
        """

    def end(self, topic: str) -> dict[int, int]:
        """Return for each partition the offset after its last record (0 if it has none)."""

    def scan(self, cursor: str | None, limit: int) -> tuple[list[Stored], str]:
        """Return the next ``limit`` records of the whole log in append order, and the cursor behind the last.

        ``None`` is the beginning. The cursor is opaque and URL-safe and stays valid for ever; a malformed one raises
        ValueError. Within a partition the order is that of the offsets; between partitions it is the engine's best
        knowledge of the order in which records arrived.
        """

    def find(self, event_id: str) -> Stored | None:
        """Return the record of this id, or None; on an engine without an index this reads the log."""

    def positions(self, group: str) -> dict[TopicPartition, int]:
        """Return the committed positions of a consumer group."""

    def commit(self, group: str, positions: Positions) -> None:
        """Durably move a consumer group to ``positions``; other partitions keep theirs."""

    def close(self) -> None:
        """Release what the log holds; later calls raise LogUnavailableError."""


def record_of(event: AnyEvent, *, topic: str | None = None, key: str | None = None, origin: str = "") -> Record:
    """Encode ``event``; ``topic`` and ``key`` are given for timers only, whose topic is their processor's."""
    fingerprint, body = codec.encode(event)
    if topic is None or key is None:
        topic, key = topics.route(event)
    return Record(topic, key, event.id, event.type, event.recorded_at, fingerprint, body, origin)


def event_of(record: Record) -> AnyEvent:
    """Decode the event of a record; raises the errors of ``schemas.codec``."""
    return codec.decode(record.fingerprint, record.body)
