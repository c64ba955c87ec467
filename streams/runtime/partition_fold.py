"""Folds the partitions that a worker of the distributed engine was given. It knows neither Faust nor Kafka nor Redis.

The order that keeps everything: emit, wait for the acknowledgement, then move position and state in one step. The
store's position is the one that counts; what a broker's consumer group thinks is a hint and may be wrong.
"""

import logging
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import attrgetter
from threading import Lock
from typing import NamedTuple

from msgspec.structs import replace

from schemas import codec
from schemas.codec import UnknownSchemaError
from schemas.events import AnyEvent, Micros, TimerFired
from schemas.wire import SINGLE_OBJECT, Framing
from streams.domain.processor import Output, Processor, Unheard
from streams.log import origin as origins
from streams.log.port import EventLog, LogCorruptError, LogError, Record, Stored, TopicPartition, record_of
from streams.runtime.emissions import Emissions
from streams.runtime.partition_state import Due, PartitionState
from streams.runtime.state_store import StateStore, StoreUnavailableError

_MOST_MESSAGES = 500
_MOST_ROWS = 5_000
"""Changed rows from which on a batch is committed and another begun: a store does nothing else meanwhile."""
_TRIES = 5
_log = logging.getLogger(__name__)


class Message(NamedTuple):
    """One message of a partition: its offset, its type and origin (headers) and its framed event."""

    offset: int
    type: str
    frame: bytes
    origin: str = ""


class FencedError(RuntimeError):
    """Other workers move a partition's position again and again: there are two owners, which no broker allows."""


class _PoisonError(Exception):
    """A step raised, though folds are total: a fault in the program."""


class PartitionFold:
    """One processor over the partitions that this worker has now. Thread-safe; one batch at a time.

    The state of all topics' partition N is one: the topics of a processor have the same number of partitions and
    are keyed alike, and a worker is given partition N of all of them.

    Counted since the start: ``fenced`` batches that found another worker's work done, ``poisoned`` events that could
    not be folded, ``repeated`` emissions that came again and ``ignored`` events that made no sense in their state.
    With ``emissions`` a fold from nothing does not say again what the log holds.
    """

    def __init__(
        self,
        processor: Processor,
        log: EventLog,
        store: StateStore,
        framing: Framing = SINGLE_OBJECT,
        emissions: Emissions | None = None,
    ) -> None:
        self.processor = processor
        self.fenced = 0
        self.poisoned = 0
        self.repeated = 0
        self.ignored = 0
        self._log = log
        self._framing = framing
        self._emissions = emissions
        self._store = store
        self._lock = Lock()
        self._states: dict[int, PartitionState] = {}
        """By partition that is ours: what memory has of it."""
        self._doubted: set[int] = set()
        """Partitions whose state in memory may be more than was committed, and is not gone on from."""
        self._positions: dict[TopicPartition, int] = {}
        self._reached: dict[TopicPartition, int] = {}
        """How far we have ever been: what a store that lost its data must come to again."""
        self._ends: dict[TopicPartition, int] = {}
        self._poison: set[tuple[TopicPartition, int]] = set()

    # --- for the driver ---

    def assigned(self, partitions: Iterable[int]) -> None:
        """Take over these partitions of all topics and let go of all others; ``position`` says where to read on.

        Raises StoreUnavailableError (HalfLostError where a partition's state cannot be trusted) and LogError.
        """
        wanted = frozenset(partitions)
        with self._lock:
            states = {partition: self._kept(partition) for partition in wanted}
            found = sorted(wanted - self._states.keys())
            ends = {topic: self._log.end(topic) for topic in self.processor.topics} if found else {}
            self._ends = {place: end for place, end in self._ends.items() if place[1] in wanted}
            self._ends |= {(topic, at): end.get(at, 0) for topic, end in ends.items() for at in found}
            self._states = states
            self._doubted = set()
            self._positions = {
                (topic, partition): state.positions.get(topic, 0)
                for partition, state in states.items()
                for topic in self.processor.topics
            }
            self._reached = dict(self._positions)

    def position(self, place: TopicPartition) -> int:
        """Return the offset to read next; raises KeyError for a partition that is not assigned. Never blocks."""
        return self._positions[place]

    def fold(self, place: TopicPartition, messages: Sequence[Message]) -> None:
        """Fold what is new of ``messages``, which are in order, and return when it is committed.

        Messages that were folded before are passed over, and those that the transport left out are read from the log.
        Where another worker moved the position meanwhile, what is left for us is folded from its state. Raises
        FencedError, StoreUnavailableError and LogError: nothing is lost then, and the same messages may come again.
        """
        with self._lock:
            tries = 0
            while tries < _TRIES:
                chunk = self._next(place, messages)
                if not chunk:
                    return
                try:
                    done = self._apply(place, chunk)
                except _PoisonError:
                    continue  # noted: from the store's state, without that event
                if not done:
                    self.fenced += 1
                    tries += 1
        raise FencedError(f"{self.processor.name}: others keep moving {place[0]}[{place[1]}]")

    def restore(self, partition: int) -> None:
        """Fold off the log what the store has lost since we were there; a look at its positions where it lost nothing.

        Raises as ``fold`` does. Without it a partition of which no more messages come would stay lost.
        """
        with self._lock:
            if partition not in self._states:
                return
            kept = self._store.positions(self.processor.name, partition)
            lost = {
                topic: end for (topic, at), end in self._reached.items() if at == partition and kept.get(topic, 0) < end
            }
            if lost:
                self._doubted.add(partition)
                self._current(partition)
        for topic, end in lost.items():
            self._restore((topic, partition), end)

    def _restore(self, place: TopicPartition, end: int) -> None:
        while (start := self._positions.get(place, end)) < end:
            found = [_message(one) for one in self._log.read(*place, start, _MOST_MESSAGES) if one.offset < end]
            if not found:
                return  # the rest of it is no messages
            self.fold(place, found)

    def wishes_due(self, partition: int, now: Micros, limit: int) -> list[Due]:
        """Return up to ``limit`` timers that are due, the oldest first, as committed; never blocks.

        None while what lay on the log when the partition was taken over is not yet folded: the wake-up may lie there.
        """
        state = self._states.get(partition)
        if state is None or any(self._positions.get(at, 0) < end for at, end in self._mine(partition)):
            return []
        return state.due(now, limit)

    def _mine(self, partition: int) -> list[tuple[TopicPartition, int]]:
        return [(at, end) for at, end in list(self._ends.items()) if at[1] == partition]

    # --- what memory has; the caller holds the lock ---

    def _kept(self, partition: int) -> PartitionState:
        """Return the partition's state: the one in memory, if nobody went on from it meanwhile."""
        state = None if partition in self._doubted else self._states.get(partition)
        if state is not None and state.positions == self._store.positions(self.processor.name, partition):
            return state
        return self._loaded(partition)

    def _loaded(self, partition: int) -> PartitionState:
        held = self._store.held(self.processor.name, partition)
        asks = self._emissions is not None or self.processor.recalls
        new = set(self.processor.topics) - held.positions.keys() if asks else ()
        ends = {topic: self._log.end(topic).get(partition, 0) for topic in new}
        return PartitionState(self.processor, partition, self._store, held, ends)

    def _current(self, partition: int) -> PartitionState:
        if partition in self._doubted:
            state = self._states[partition] = self._loaded(partition)
            self._doubted.remove(partition)
            for topic in self.processor.topics:
                self._positions[topic, partition] = state.positions.get(topic, 0)
        return self._states[partition]

    def _next(self, place: TopicPartition, messages: Sequence[Message]) -> Sequence[Message]:
        """Return what comes next: none where all is done or was taken away while the messages waited."""
        if place[1] not in self._states:
            return []
        position = self._current(place[1]).positions.get(place[0], 0)
        start = bisect_left(messages, position, key=attrgetter("offset"))
        fresh = messages[start : start + _MOST_MESSAGES]
        if fresh and fresh[0].offset > position:
            between = [
                _message(stored)
                for stored in self._log.read(*place, position, _MOST_MESSAGES)
                if stored.offset < fresh[0].offset
            ]
            return between or fresh
        return fresh

    # --- one batch ---

    def _apply(self, place: TopicPartition, messages: Sequence[Message]) -> bool:
        """Fold, emit and commit as many of the messages as one commit takes; False: somebody else was there."""
        topic, partition = place
        state = self._current(partition)
        # Until it is committed: after an error nobody may go on from it.
        self._doubted.add(partition)
        expected = state.positions.get(topic, 0)
        emitted, new = self._steps(state, place, messages)
        if emitted:
            # What was read of the store after our position may be another's work: of that nothing may be said aloud.
            if self._store.positions(self.processor.name, partition) != state.positions:
                return False
            self._log.append(emitted)
        # Whoever moved another topic's position changed the state that this was made from.
        others = {name: state.positions.get(name, 0) for name in self.processor.topics if name != topic}
        changes = replace(state.drain(), beside=others)
        if not self._store.commit(self.processor.name, place, expected, new, changes):
            return False
        state.committed(topic, new)
        self._positions[place] = new
        self._reached[place] = max(new, self._reached.get(place, 0))
        self._doubted.remove(partition)
        return True

    def _steps(
        self, state: PartitionState, place: TopicPartition, messages: Sequence[Message]
    ) -> tuple[list[Record], int]:
        """Return what is emitted, and the offset behind the last message that was folded."""
        events = {message.offset: self._event(place, message) for message in messages if self._wants(place, message)}
        if events and self.processor.begins is not None:
            self.processor.begins()
        self._prepare(state, place, events)
        emitted: list[Record] = []
        for message in messages:
            if (event := events.get(message.offset)) is not None:
                emitted += self._step(state, place, message, event)
            if state.changed() >= _MOST_ROWS:
                return emitted, message.offset + 1
        return emitted, messages[-1].offset + 1

    def _step(self, state: PartitionState, place: TopicPartition, message: Message, event: AnyEvent) -> list[Record]:
        came_from = origins.parse(message.origin) if message.origin else None
        if came_from is not None and not state.origins.is_new(place[0], came_from):
            self.repeated += 1
            if not self.processor.repeatable or came_from.imported:
                return []
        data = event.data
        if isinstance(data, TimerFired):
            if data.processor != self.processor.name:
                return []
            state.fired((event.page, data.timer), data.due)
        # All that follows from an imported record was imported with it.
        again = self.processor.recalls and state.silences.is_again(place[0], message.offset)
        out = Output(event, again=again) if came_from is None or not came_from.imported else Unheard(event, again=True)
        try:
            self.processor.step(state.tables, event, out)
            emitted = self._records(state, place, message.offset, out)
        except (LogError, StoreUnavailableError):
            raise
        except Exception as error:  # a fold is total; whatever it raises is a fault to be named with its event
            raise self._poisoned(place, message) from error
        if out.ignored is not None:
            self.ignored += 1
        state.wake(event, out.wakes)
        return emitted

    def _records(self, state: PartitionState, place: TopicPartition, offset: int, out: Output) -> list[Record]:
        if not out.emitted:
            return []
        name, since = self.processor.name, state.positions.get(place[0], 0)
        if self._emissions is not None and not self.processor.recalls:
            source = origins.source(name, place)
            if state.silences.holds_back(place[0], source, offset, self._emissions):
                return []
        count = len(out.emitted) if self.processor.recalls else 0
        return [
            record_of(event, origin=origins.emitted(name, place, offset, rank, since, count))
            for rank, event in enumerate(out.emitted)
        ]

    def _prepare(self, state: PartitionState, place: TopicPartition, events: dict[int, AnyEvent]) -> None:
        prefetch = self.processor.prefetch
        if prefetch is None:
            state.prepare(())
            return
        wanted = []
        for offset, event in events.items():
            try:
                wanted += list(prefetch(event))
            except Exception as error:  # as pure as a step, and as much a fault where it raises
                raise self._poisoned(place, Message(offset, event.type, b"")) from error
        state.prepare(wanted)

    # --- events ---

    def _wants(self, place: TopicPartition, message: Message) -> bool:
        return message.type in self.processor.types and (place, message.offset) not in self._poison

    def _event(self, place: TopicPartition, message: Message) -> AnyEvent:
        try:
            return codec.decode(*self._framing.unframe(message.frame, message.type))
        except UnknownSchemaError as error:
            # A newer worker's event, or a registry that lost its data: to pass over it would be to lose it.
            raise LogCorruptError(f"{place[0]}[{place[1]}]@{message.offset} cannot be read: {error}") from error
        except LogError:
            raise
        except Exception as error:  # the codec's own errors and whatever Avro makes of broken bytes
            raise self._poisoned(place, message) from error

    def _poisoned(self, place: TopicPartition, message: Message) -> _PoisonError:
        """Note an event that is passed over from now on, as no repetition would help."""
        self._poison.add((place, message.offset))
        self.poisoned += 1
        _log.exception(
            "%s passes over %s[%d]@%d: it cannot fold this %s",
            self.processor.name, *place, message.offset, message.type,
        )  # fmt: skip
        return _PoisonError()


def _message(stored: Stored) -> Message:
    record = stored.record
    return Message(stored.offset, record.type, codec.frame(record.fingerprint, record.body), record.origin)
