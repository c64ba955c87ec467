"""The log on Apache Kafka. It knows brokers and offsets, no events.

What Kafka's nature bends (``docs/decisions/0002``): ids are not looked up, so ``Appended.duplicate`` is never set; an
append that failed may have stored some of its records; ``find`` reads the log; the chain is computed by the reader.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from threading import Event as Flag
from threading import Lock
from time import monotonic
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer
from kafka import TopicPartition as KafkaPartition
from kafka.errors import GroupIdNotFoundError, NoError, RetriableError
from kafka.structs import OffsetAndMetadata

from schemas.codec import MalformedRecordError, UnknownSchemaError
from schemas.topics import TOPICS, Topic, partition_of
from schemas.wire import SINGLE_OBJECT, Framing
from streams.log import vector
from streams.log.kafka.appender import Appender
from streams.log.kafka.batches import Row
from streams.log.kafka.clients import settings
from streams.log.kafka.ends import Ends
from streams.log.kafka.errors import translated
from streams.log.kafka.leaders import Leaders
from streams.log.kafka.tail import KafkaTail
from streams.log.kafka.topics import MAX_RECORD_BYTES, declare
from streams.log.links import Links
from streams.log.merge import ReadAhead, behind
from streams.log.message import headers_of, key_of, record_of_message, value_of
from streams.log.port import (
    Appended,
    LogCorruptError,
    LogError,
    LogUnavailableError,
    Positions,
    Record,
    RecordTooLargeError,
    Stored,
    TopicPartition,
)

_OVERHEAD_BYTES = 1024
_RETRY_SECONDS = 0.1


class KafkaEventLog:
    """An ``EventLog`` whose topics are Kafka's, created as declared when the log is opened.

    ``namespace`` stands before every topic's and group's name, so that several logs can share a cluster. ``timeout``
    is how long a call waits for the cluster before it raises LogUnavailableError. With ``chained=False`` the chain of
    what is read is empty: a worker that starts deep in a partition would have to read all that lies before. ``framing``
    is how what is appended names its schema; what is read may name it either way.
    """

    def __init__(
        self,
        servers: Sequence[str],
        topics: Sequence[Topic] = TOPICS,
        *,
        namespace: str = "",
        replication: int = 1,
        timeout: timedelta = timedelta(seconds=30),
        chained: bool = True,
        framing: Framing = SINGLE_OBJECT,
    ) -> None:
        self._topics = {topic.name: topic for topic in topics}
        self._partitions = {topic.name: topic.partitions for topic in topics}
        self._namespace = namespace
        self._replication = replication
        self._timeout = timeout.total_seconds()
        self._chained = chained
        self._framing = framing
        self._common = settings(servers, timeout)
        self._closed = Flag()
        self._reading = Lock()
        self._links: dict[TopicPartition, Links] = {place: Links() for place in self._places()}
        self._ahead = ReadAhead(self._stored, [topic.name for topic in topics])
        self._appender: Appender | None = None
        self._asked: Ends | None = None
        self._consumer: Any = None
        self._admin: Any = None
        try:
            self._connect()
        except LogError:
            self.close()
            raise

    def _connect(self) -> None:
        with translated():
            self._admin = KafkaAdminClient(**self._common)
            declare(self._admin, self._named(), self._replication, self._timeout_ms)
            self._appender = Appender(Leaders(self._admin), self._timeout)
            self._asked = Ends(Leaders(self._admin), self._timeout)
            self._consumer = self._new_consumer()

    # --- the port ---

    def partitions(self, topic: str) -> int:
        return self._partitions[topic]

    def append(self, records: Sequence[Record]) -> list[Appended]:
        rows = [self._row(record) for record in records]
        with self._open():
            offsets = self._current_appender().append(rows)
        return [Appended(row.place[1], offset) for row, offset in zip(rows, offsets, strict=True)]

    def read(self, topic: str, partition: int, start: int, limit: int) -> list[Stored]:
        if not 0 <= partition < self._partitions[topic]:
            raise KeyError((topic, partition))
        with self._open(), self._reading:
            place = (topic, partition)
            return self._stored(place, start, limit, self._ends([place])[place])

    def end(self, topic: str) -> dict[int, int]:
        places = [(topic, partition) for partition in range(self._partitions[topic])]
        with self._open():
            return {partition: end for (_, partition), end in self._ends(places).items()}

    def scan(self, cursor: str | None, limit: int) -> tuple[list[Stored], str]:
        positions = {} if cursor is None else vector.decode(cursor, self._partitions)
        with self._open(), self._reading:
            found = self._ahead.merged(positions, self._ends(self._places()), limit)
        return found, vector.encode({**positions, **behind(found)})

    def find(self, event_id: str) -> Stored | None:
        with self._open(), self._reading:
            everything = self._ahead.one_by_one(self._ends(self._places()))
            return next((stored for stored in everything if stored.record.id == event_id), None)

    def positions(self, group: str) -> dict[TopicPartition, int]:
        with self._open():
            found = self._retrying(self._committed, self._namespace + group)
        return {self._place(at): offset.offset for at, offset in found.items() if offset.offset >= 0}

    def commit(self, group: str, positions: Positions) -> None:
        wanted = {self._at(place): OffsetAndMetadata(offset, "", None) for place, offset in positions.items()}
        with self._open():
            self._retrying(self._alter, self._namespace + group, wanted)

    def tail(self, positions: Positions, types: frozenset[str] | None = None) -> KafkaTail:
        """Follow the partitions that ``positions`` names, each from there on, with a consumer of its own."""
        places = {self._at(place): place for place in positions}
        with self._open():
            return KafkaTail(self._common, places, positions, types, self._framing)

    def close(self) -> None:
        if self._closed.is_set():
            return
        self._closed.set()
        for each in (self._appender, self._asked):
            if each is not None:
                each.close()
        with self._reading:
            if self._consumer is not None:
                self._consumer.close(autocommit=False)
        if self._admin is not None:
            self._admin.close()

    # --- guards ---

    @contextmanager
    def _open(self) -> Iterator[None]:
        if self._closed.is_set():
            raise LogUnavailableError("the log is closed")
        with translated():
            yield

    def _retrying(self, call: Any, *arguments: Any) -> Any:
        """Repeat a call while the group's coordinator moves, is made or comes back; the admin client does not."""
        until = monotonic() + self._timeout
        while True:
            try:
                return call(*arguments)
            except RetriableError:
                if monotonic() > until or self._closed.wait(_RETRY_SECONDS):
                    raise

    # --- topics ---

    @property
    def _timeout_ms(self) -> int:
        return int(self._timeout * 1000)

    def _named(self) -> dict[str, Topic]:
        return {self._namespace + name: topic for name, topic in self._topics.items()}

    def _places(self) -> list[TopicPartition]:
        return [(name, partition) for name, parts in self._partitions.items() for partition in range(parts)]

    def _at(self, place: TopicPartition) -> KafkaPartition:
        return KafkaPartition(self._namespace + place[0], place[1])

    def _place(self, at: KafkaPartition) -> TopicPartition:
        return at.topic.removeprefix(self._namespace), at.partition

    # --- writing ---

    def _row(self, record: Record) -> Row:
        key, value = key_of(record), value_of(record, self._framing)
        if len(value) + len(key) + _OVERHEAD_BYTES > MAX_RECORD_BYTES:
            raise RecordTooLargeError(f"event {record.id} has {len(value)} bytes")
        at = self._at((record.topic, partition_of(record.key, self._partitions[record.topic])))
        return Row(at, record.recorded_at // 1000, key, value, headers_of(record))

    def _current_appender(self) -> Appender:
        assert self._appender is not None, "a log that is not closed was opened"
        return self._appender

    # --- reading; the caller holds the lock, for a consumer is not made for several threads ---

    def _new_consumer(self) -> KafkaConsumer:
        consumer = KafkaConsumer(
            **self._common,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            # We never ask for more than there is, so a fetch that waits for more only delays the next one.
            fetch_max_wait_ms=1,
            max_partition_fetch_bytes=1024 * 1024,
            metrics_enabled=False,
        )
        # All at once, so that it learns of every topic here and not at each turn to another.
        consumer.assign([self._at(place) for place in self._places()])
        return consumer

    def _ends(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        assert self._asked is not None, "a log that is not closed was opened"
        found = self._asked.of(self._at(place) for place in places)
        return {place: found[self._at(place)] for place in places}

    def _stored(self, place: TopicPartition, start: int, limit: int, end: int) -> list[Stored]:
        if start >= end or limit < 1:
            return []
        if not self._chained:
            return [Stored(record, place[1], offset, b"") for offset, record in self._fetch(place, start, limit, end)]
        links = self._links[place]
        return links.chained(place[1], start, limit, lambda begin, count: self._fetch(place, begin, count, end))

    def _fetch(self, place: TopicPartition, start: int, limit: int, end: int) -> list[tuple[int, Record]]:
        """Return up to ``limit`` records from ``start`` on; none only where nothing is left before ``end``."""
        at = self._turn_to(place, start)
        found: list[tuple[int, Record]] = []
        until = monotonic() + self._timeout
        while len(found) < limit and self._consumer.position(at) < end:
            batch = self._consumer.poll(timeout_ms=100, max_records=limit - len(found)).get(at, [])
            found += [(message.offset, self._record(place, message)) for message in batch]
            if not batch and monotonic() > until:
                raise LogUnavailableError(f"no answer from the broker for {place[0]}[{place[1]}]")
        return [pair for pair in found if pair[0] < end]

    def _turn_to(self, place: TopicPartition, start: int) -> KafkaPartition:
        """Set the consumer to one partition and offset; what it fetched ahead is kept where that is where it stands.

        Assigned anew at each turn: in kafka-python 3.0 a partition that was paused with records fetched ahead may
        never be fetched again after it is resumed.
        """
        at = self._at(place)
        if self._consumer.assignment() != {at}:
            self._consumer.assign([at])
            self._consumer.seek(at, start)
        elif self._consumer.position(at) != start:
            self._consumer.seek(at, start)
        return at

    def _record(self, place: TopicPartition, message: Any) -> Record:
        try:
            return record_of_message(place[0], message.key, message.headers, message.value, self._framing)
        except MalformedRecordError as error:
            raise LogCorruptError(f"{place[0]}[{place[1]}]@{message.offset} is {error}") from error
        except UnknownSchemaError as error:
            raise LogCorruptError(f"{place[0]}[{place[1]}]@{message.offset} cannot be read: {error}") from error

    # --- groups ---

    def _committed(self, group: str) -> Mapping[KafkaPartition, OffsetAndMetadata]:
        wanted = [self._at(place) for place in self._places()]
        try:
            found: Mapping[KafkaPartition, OffsetAndMetadata] = self._admin.list_group_offsets({group: wanted})[group]
        except GroupIdNotFoundError:
            return {}
        return found

    def _alter(self, group: str, positions: Mapping[KafkaPartition, OffsetAndMetadata]) -> None:
        for at, error in self._admin.alter_group_offsets(group, positions).items():
            if error is not NoError:
                raise error(f"{group} cannot be moved on {at.topic}[{at.partition}]")
