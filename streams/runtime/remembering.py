"""Gives commands on an engine without an index of ids what the embedded log has: a known id is not appended again.

It decides nothing: what an id means, and what a repeat is answered, is the command API's matter.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from schemas.events import AnyEvent
from schemas.topics import partition_of
from streams.log.port import Appended, EventLog, LogUnavailableError, Record, event_of, record_of
from streams.runtime.kafka_publisher import KafkaPublisher
from streams.runtime.state_store import StoreUnavailableError

_PATIENCE = 2.0
"""Seconds for which another's append of the same event is waited for, before it is looked for on the log itself."""
_POLL = 0.05
_MARGIN = 5 * 60 * 1_000_000
"""By how much clocks may differ: so much earlier than its own time a record is looked for."""
_READ = 500


class Known(msgspec.Struct, frozen=True):
    """A record that was to be appended, and where it lies once that is done."""

    record: Record
    place: tuple[int, int] | None = None


class EventMemory(Protocol):
    """Remembers events by id for some days. Methods block; they raise StoreUnavailableError."""

    def first(self, records: Sequence[Record]) -> list[Known | None]:
        """Remember records unless their ids are known, in one step each; return what was known before."""

    def placed(self, places: Mapping[str, Known]) -> None:
        """Note where records lie, by id."""

    def find(self, event_id: str) -> Known | None:
        """Return what is remembered of an id."""


class RememberingPublisher:
    """Implements ``Publisher``: appends an event once, however often and wherever it is published.

    An event is remembered before it is appended, and its place after; in between, a repeat waits for the place, then
    looks for the record on the log, and appends it where a crash left it out.
    """

    def __init__(self, publisher: KafkaPublisher, log: EventLog, memory: EventMemory) -> None:
        self._publisher = publisher
        self._log = log
        self._memory = memory

    async def publish(self, events: Sequence[AnyEvent]) -> list[Appended]:
        try:
            return await self._publish([record_of(event) for event in events])
        except StoreUnavailableError as error:
            raise LogUnavailableError(str(error)) from error

    async def _publish(self, records: Sequence[Record]) -> list[Appended]:
        before = await asyncio.to_thread(self._memory.first, records)
        new = [record for record, known in zip(records, before, strict=True) if known is None]
        found = dict(zip((record.id for record in new), await self._append(new), strict=True))
        for known in before:
            if known is not None:
                found[known.record.id] = await self._again(known)
        return [found[record.id] for record in records]

    def find(self, event_id: str) -> AnyEvent | None:
        """Return the event of an id that lies on the log, while it is remembered; blocks."""
        known = self._memory.find(event_id)
        return None if known is None or known.place is None else event_of(known.record)

    async def _append(self, records: Sequence[Record]) -> list[Appended]:
        appended = await self._publisher.append(records)
        if records:
            places = {
                record.id: Known(record, (where.partition, where.offset))
                for record, where in zip(records, appended, strict=True)
            }
            await asyncio.to_thread(self._memory.placed, places)
        return appended

    async def _again(self, known: Known) -> Appended:
        place = known.place or await self._awaited(known.record.id)
        if place is None:
            place = await asyncio.to_thread(self._search, known.record)
            if place is None:
                [where] = await self._append([known.record])
                return Appended(where.partition, where.offset, duplicate=True)
            await asyncio.to_thread(self._memory.placed, {known.record.id: Known(known.record, place)})
        return Appended(*place, duplicate=True)

    async def _awaited(self, event_id: str) -> tuple[int, int] | None:
        """Return the place that another request, in any process, is about to note."""
        for _ in range(int(_PATIENCE / _POLL)):
            await asyncio.sleep(_POLL)
            known = await asyncio.to_thread(self._memory.find, event_id)
            if known is not None and known.place is not None:
                return known.place
        return None

    def _search(self, record: Record) -> tuple[int, int] | None:
        partition = partition_of(record.key, self._log.partitions(record.topic))
        start = self._since(record, partition)
        while batch := self._log.read(record.topic, partition, start, _READ):
            for stored in batch:
                if stored.record.id == record.id:
                    return partition, stored.offset
            start = batch[-1].offset + 1
        return None

    def _since(self, record: Record, partition: int) -> int:
        """Return an offset before which the record cannot lie: times grow with offsets, but for the clocks' differences."""
        low, high = 0, self._log.end(record.topic)[partition]
        while low < high:
            middle = (low + high) // 2
            found = self._log.read(record.topic, partition, middle, 1)
            if found and found[0].record.recorded_at < record.recorded_at - _MARGIN:
                low = middle + 1
            else:
                high = middle
        return low
