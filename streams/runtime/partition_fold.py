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
_TRIES = 5


class Message(NamedTuple):
    """One message of a partition: its offset, its type (a header) and its framed event."""

    offset: int
    type: str
    frame: bytes


class FencedError(RuntimeError):
    """Other workers move a partition's position again and again: there are two owners, which no broker allows."""


class PartitionFold:
    """One processor over the partitions that this worker has now. Thread-safe; one batch at a time.

    The state of all topics' partition N is one: the topics of a processor have the same number of partitions and
    are keyed alike, and a worker is given partition N of all of them. ``fenced`` counts the batches that found another
    worker's work done.
    """

    def __init__(self, processor: Processor, log: EventLog, store: StateStore) -> None:
        self.processor = processor
        self.fenced = 0
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
        Where another worker moved the position meanwhile, what is left for us is folded from its state.
        """
        with self._lock:
            for _ in range(_TRIES):
                if place not in self._positions or self._apply(place, self._fresh(place, messages)):
                    return  # done, or taken away while the messages waited: whoever has the partition reads them
                self.fenced += 1
                self._positions[place] = self._store.position(self.processor.name, place)
        raise FencedError(f"{self.processor.name}: others keep moving {place[0]}[{place[1]}]")

    def _fresh(self, place: TopicPartition, messages: Sequence[Message]) -> list[Message]:
        position = self._positions[place]
        fresh = [message for message in messages if message.offset >= position]
        if fresh and fresh[0].offset > position:
            return [*self._between(place, position, fresh[0].offset), *fresh]
        return fresh

    def _apply(self, place: TopicPartition, messages: Sequence[Message]) -> bool:
        if not messages:
            return True
        expected, new = self._positions[place], messages[-1].offset + 1
        # Taken out while it is worked on: after an error nobody may go on from a state that was not committed.
        tables = self._tables.pop(place[1], None) or self._stored(place[1])
        emitted = [event for message in messages for event in self._step(tables, message)]
        if emitted:
            self._log.append([record_of(event) for event in emitted])
        if not self._store.commit(self.processor.name, place, expected, new, _changes(tables)):
            return False
        self._positions[place] = new
        self._tables[place[1]] = tables
        return True

    def _step(self, tables: dict[str, MemoryTable[Any]], message: Message) -> list[AnyEvent]:
        if message.type not in self.processor.types:
            return []
        event = codec.decode(*codec.unframe(message.frame))
        out = Output(event)
        self.processor.step(tables, event, out)
        assert not out.wakes, "timers of the distributed engine are still to come"
        return out.emitted

    def _stored(self, partition: int) -> dict[str, MemoryTable[Any]]:
        tables = memory_state(self.processor.tables)
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
