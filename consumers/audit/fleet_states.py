"""Every page as the log of the fleet makes it up to a moment, folded in this process; it needs no store."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from consumers.projection.board import STATUS
from schemas.codec import MalformedRecordError, UnknownSchemaError
from schemas.events import Micros, TimerFired
from streams.domain.processor import Unheard
from streams.domain.state import MemoryTable, memory_state
from streams.log.origin import parse
from streams.log.port import EventLog, LogCorruptError, Stored, TopicPartition, event_of
from streams.runtime.origins import Origins

_READ = 2_000


class FoldedPages(msgspec.Struct, frozen=True):
    """The tables of the status board, and how many events were read for them."""

    tables: Mapping[str, MemoryTable[Any]]
    events: int


def fold_pages(log: EventLog, until: Micros | None, progress: Callable[[int], None]) -> FoldedPages:
    """Fold all partitions that pages lie in; only records with ``recorded_at <= until`` count.

    Raises LogUnavailableError, and LogCorruptError for an event that cannot be read.
    """
    tables = memory_state(STATUS.tables)
    events = 0
    for topic in STATUS.topics:
        for partition in range(log.partitions(topic)):
            place, origins, start = (topic, partition), Origins({}), 0
            while found := log.read(*place, start, _READ):
                wanted = [stored for stored in found if until is None or stored.record.recorded_at <= until]
                for stored in wanted:
                    _step(tables, place, origins, stored)
                events += len(wanted)
                progress(events)
                start = found[-1].offset + 1
    return FoldedPages(tables, events)


def _step(tables: Mapping[str, MemoryTable[Any]], place: TopicPartition, origins: Origins, stored: Stored) -> None:
    origin = parse(stored.record.origin)
    if origin is not None and not origins.is_new(place[0], origin):
        return
    if stored.record.type not in STATUS.types:
        return
    try:
        event = event_of(stored.record)
    except (MalformedRecordError, UnknownSchemaError) as error:
        raise LogCorruptError(f"{stored.place}: {error}") from error
    if not isinstance(event.data, TimerFired) or event.data.processor == STATUS.name:
        STATUS.step(tables, event, Unheard(event))
