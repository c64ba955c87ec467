"""Folds the partitions that a worker of the distributed engine was given. It knows neither Faust nor Kafka nor Redis.

The order that keeps everything: emit, wait for the acknowledgement, then move position and state in one step. The
store's position is the one that counts; what a broker's consumer group thinks is a hint and may be wrong.
"""

from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any, NamedTuple

import msgspec

from schemas import codec
from schemas.events import AnyEvent
from streams.domain.processor import Output, Processor
from streams.domain.state import MemoryTable, memory_state
from streams.log.port import EventLog, TopicPartition, record_of
from streams.runtime.state_store import Row, StateStore

_READ = 500


class Message(NamedTuple):
    """One message of a partition: its offset, its type (a header) and its framed event."""

    offset: int
    type: str
    frame: bytes


class FencedError(RuntimeError):
    """Another worker moved the partition's position: this one must forget what it knows of it."""


class PartitionFold:
    """One processor over the partitions that this worker has now. Thread-safe; one batch at a time.

    The state of all topics' partition N is one: the topics of a processor have the same number of partitions and
    are keyed alike, and a worker is given partition N of all of them.
    """

    def __init__(self, processor: Processor, log: EventLog, store: StateStore) -> None:
        self.processor = processor
        self._log = log
        self._store = store
        self._specs = {spec.name: spec for spec in processor.tables}
        self._tables: dict[int, dict[str, MemoryTable[Any]]] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._lock = Lock()

    def assigned(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Forget everything, and return the position from which each of ``places`` is to be read."""
        with self._lock:
            self._tables = {}
            self._positions = {place: self._store.position(self.processor.name, place) for place in places}
            return dict(self._positions)

    def fold(self, place: TopicPartition, messages: Sequence[Message]) -> None:
        """Fold what is new of ``messages``, which are in order; raises FencedError.

        Messages that were folded before are passed over, and those that the transport left out are read from the log.
        """
        with self._lock:
            expected = self._positions.get(place)
            if expected is None:
                return  # taken away while the messages waited; whoever has the partition now will read them
            fresh = [message for message in messages if message.offset >= expected]
            if not fresh:
                return
            if fresh[0].offset > expected:
                fresh = [*self._between(place, expected, fresh[0].offset), *fresh]
            self._apply(place, expected, fresh)

    def _apply(self, place: TopicPartition, expected: int, messages: Sequence[Message]) -> None:
        tables = self._state(place[1])
        emitted = [event for message in messages for event in self._step(tables, message)]
        if emitted:
            self._log.append([record_of(event) for event in emitted])
        new = messages[-1].offset + 1
        if not self._store.commit(self.processor.name, place, expected, new, _changes(tables)):
            self._tables.pop(place[1], None)
            self._positions.pop(place, None)
            raise FencedError(f"{self.processor.name}: {place[0]}[{place[1]}] no longer stands at {expected}")
        self._positions[place] = new

    def _step(self, tables: dict[str, MemoryTable[Any]], message: Message) -> list[AnyEvent]:
        if message.type not in self.processor.types:
            return []
        event = codec.decode(*codec.unframe(message.frame))
        out = Output(event)
        self.processor.step(tables, event, out)
        assert not out.wakes, "timers of the distributed engine are still to come"
        return out.emitted

    def _state(self, partition: int) -> dict[str, MemoryTable[Any]]:
        tables = self._tables.get(partition)
        if tables is None:
            tables = self._tables[partition] = memory_state(self.processor.tables)
            for (table, page, key), value in self._store.rows(self.processor.name, partition):
                tables[table].fill(page, key, msgspec.msgpack.decode(value, type=self._specs[table].value))
        return tables

    def _between(self, place: TopicPartition, start: int, end: int) -> list[Message]:
        found: list[Message] = []
        while start < end:
            batch = self._log.read(*place, start, _READ)
            if not batch:
                break
            found += [
                Message(stored.offset, stored.record.type, codec.frame(stored.record.fingerprint, stored.record.body))
                for stored in batch
                if stored.offset < end
            ]
            start = batch[-1].offset + 1
        return found


def _changes(tables: dict[str, MemoryTable[Any]]) -> dict[Row, bytes | None]:
    return {
        (name, page, key): None if value is None else msgspec.msgpack.encode(value)
        for name, table in tables.items()
        for (page, key), value in table.drain().items()
    }
