"""What a processor makes of one partition's messages: new state in memory and records to be emitted. It appends and commits nothing."""

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas import codec
from schemas.codec import UnknownSchemaError
from schemas.events import AnyEvent, TimerFired
from schemas.wire import SINGLE_OBJECT, Framing
from streams.domain.processor import Output, Processor, Unheard
from streams.log import origin as origins
from streams.log.port import LogCorruptError, LogError, Record, Stored, TopicPartition, record_of
from streams.runtime.emissions import Emissions
from streams.runtime.partition_state import PartitionState
from streams.runtime.state_store import Row, StoreUnavailableError

_MOST_ROWS = 5_000
"""Changed rows from which on a batch is committed and another begun: a store does nothing else meanwhile."""
_log = logging.getLogger(__name__)


class Message(NamedTuple):
    """One message of a partition: its offset, its type and origin (headers) and its framed event."""

    offset: int
    type: str
    frame: bytes
    origin: str = ""


def message_at(offset: int, record: Record) -> Message:
    """Return what lies at an offset of the log as a transport brings it."""
    return Message(offset, record.type, codec.frame(record.fingerprint, record.body), record.origin)


def message_of(stored: Stored) -> Message:
    """Return what lies on the log as a transport brings it."""
    return message_at(stored.offset, stored.record)


class PoisonError(Exception):
    """A step raised, though folds are total: a fault in the program. It is noted: the same messages go without that event."""


class Steps:
    """One processor's steps; for one thread at a time. Of the counters see ``PartitionFold``, whose they are."""

    def __init__(
        self, processor: Processor, framing: Framing = SINGLE_OBJECT, emissions: Emissions | None = None
    ) -> None:
        self.poisoned = 0
        self.repeated = 0
        self.ignored = 0
        self._processor = processor
        self._framing = framing
        self._emissions = emissions
        self._poison: set[tuple[TopicPartition, int]] = set()

    def events(self, place: TopicPartition, messages: Sequence[Message]) -> dict[int, AnyEvent]:
        """Return the wanted events by their offsets; raises PoisonError and LogError."""
        return {message.offset: self._event(place, message) for message in messages if self._wants(place, message)}

    def wanted_rows(self, place: TopicPartition, events: Mapping[int, AnyEvent]) -> list[Row]:
        """Return which rows of lazy tables these events touch, as far as is known before; raises PoisonError."""
        prefetch = self._processor.prefetch
        found: list[Row] = []
        for offset, event in events.items() if prefetch is not None else ():
            try:
                found += prefetch(event) if prefetch is not None else ()
            except Exception as error:  # as pure as a step, and as much a fault where it raises
                raise self._poisoned(place, offset, event.type) from error
        return found

    def fold(
        self,
        state: PartitionState,
        place: TopicPartition,
        messages: Sequence[Message],
        events: Mapping[int, AnyEvent],
    ) -> tuple[list[Record], int]:
        """Return what is emitted, and the offset behind the last message that was folded; raises PoisonError."""
        emitted: list[Record] = []
        for message in messages:
            if (event := events.get(message.offset)) is not None:
                emitted += self._step(state, place, message, event)
            if state.changed() >= _MOST_ROWS:
                return emitted, message.offset + 1
        return emitted, messages[-1].offset + 1

    # --- one event ---

    def _step(self, state: PartitionState, place: TopicPartition, message: Message, event: AnyEvent) -> list[Record]:
        processor = self._processor
        came_from = origins.parse(message.origin) if message.origin else None
        if came_from is not None and not state.origins.is_new(place[0], came_from):
            self.repeated += 1
            if not processor.repeatable or came_from.imported:
                return []
        data = event.data
        if isinstance(data, TimerFired):
            if data.processor != processor.name:
                return []
            state.fired((event.page, data.timer), data.due)
        # All that follows from an imported record was imported with it.
        again = processor.recalls and state.silences.is_again(place[0], message.offset)
        out = Output(event, again=again) if came_from is None or not came_from.imported else Unheard(event, again=True)
        try:
            processor.step(state.tables, event, out)
            emitted = self._records(state, place, message.offset, out)
        except (LogError, StoreUnavailableError):
            raise
        except Exception as error:  # a fold is total; whatever it raises is a fault to be named with its event
            raise self._poisoned(place, message.offset, message.type) from error
        if out.ignored is not None:
            self.ignored += 1
        state.wake(event, out.wakes)
        return emitted

    def _records(self, state: PartitionState, place: TopicPartition, offset: int, out: Output) -> list[Record]:
        if not out.emitted:
            return []
        name, since = self._processor.name, state.positions.get(place[0], 0)
        if self._emissions is not None and not self._processor.recalls:
            source = origins.source(name, place)
            if state.silences.holds_back(place[0], source, offset, self._emissions):
                return []
        count = len(out.emitted) if self._processor.recalls else 0
        return [
            record_of(event, origin=origins.emitted(name, place, offset, rank, since, count))
            for rank, event in enumerate(out.emitted)
        ]

    # --- reading ---

    def _wants(self, place: TopicPartition, message: Message) -> bool:
        return message.type in self._processor.types and (place, message.offset) not in self._poison

    def _event(self, place: TopicPartition, message: Message) -> AnyEvent:
        try:
            return codec.decode(*self._framing.unframe(message.frame, message.type))
        except UnknownSchemaError as error:
            # A newer worker's event, or a registry that lost its data: to pass over it would be to lose it.
            raise LogCorruptError(f"{place[0]}[{place[1]}]@{message.offset} cannot be read: {error}") from error
        except LogError:
            raise
        except Exception as error:  # the codec's own errors and whatever Avro makes of broken bytes
            raise self._poisoned(place, message.offset, message.type) from error

    def _poisoned(self, place: TopicPartition, offset: int, kind: str) -> PoisonError:
        """Note an event that is passed over from now on, as no repetition would help."""
        self._poison.add((place, offset))
        self.poisoned += 1
        _log.exception("%s passes over %s[%d]@%d: it cannot fold this %s", self._processor.name, *place, offset, kind)
        return PoisonError()
