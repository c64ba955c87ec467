"""Folds the partitions that a worker of the distributed engine was given. It knows neither Faust nor Kafka nor Redis.

The order that keeps everything: emit, wait for the acknowledgement, then move position and state in one step. The
store's position is the one that counts; what a broker's consumer group thinks is a hint and may be wrong. Partitions
share no state, but what waits in several of them costs one append and one question to the store together.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from threading import Lock
from typing import NamedTuple

from msgspec.structs import replace

from schemas.events import AnyEvent, Micros
from schemas.wire import SINGLE_OBJECT, Framing
from streams.domain.processor import Processor
from streams.log import origin as origins
from streams.log.port import EventLog, Record, TopicPartition
from streams.runtime.announcements import Placed, placed
from streams.runtime.emissions import Emissions
from streams.runtime.partition_state import Due, PartitionState
from streams.runtime.partition_steps import Message, PoisonError, Steps, message_of
from streams.runtime.state_store import Commit, Row, StateStore

_MOST_MESSAGES = 500
_TRIES = 5
"""A message and where it lies."""


class FencedError(RuntimeError):
    """Other workers move a partition's position again and again: there are two owners, which no broker allows."""


class _Batch(NamedTuple):
    """What comes next of one place, read and not yet folded; ``state`` is its partition's."""

    place: TopicPartition
    state: PartitionState
    messages: Sequence[Message]
    events: Mapping[int, AnyEvent]


class _Folded(NamedTuple):
    """A batch in memory: what it emits, and the offset behind it."""

    batch: _Batch
    emitted: list[Record]
    new: int


def _causes(batches: Sequence[_Batch]) -> dict[TopicPartition, int]:
    """Return by place the offset behind all that the batches' events follow from, as far as their origins say it."""
    found: dict[TopicPartition, int] = {}
    for batch in batches:
        for message in batch.messages:
            if message.origin and message.offset in batch.events and (origin := origins.parse(message.origin)):
                cause = origins.cause_of(origin)
                if cause is not None:
                    found[cause[0]] = max(cause[1], found.get(cause[0], 0))
    return found


class PartitionFold:
    """One processor over the partitions that this worker has now. Thread-safe; one round of batches at a time.

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
        self._log = log
        self._steps = Steps(processor, framing, emissions)
        self._asks = emissions is not None or processor.recalls
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
        self._emitted: Callable[[Sequence[Placed]], None] | None = None

    @property
    def poisoned(self) -> int:
        """How many events could not be folded."""
        return self._steps.poisoned

    @property
    def repeated(self) -> int:
        """How many emissions came again."""
        return self._steps.repeated

    @property
    def ignored(self) -> int:
        """How many events made no sense in their state."""
        return self._steps.ignored

    # --- for the driver ---

    def listen(self, emitted: Callable[[Sequence[Placed]], None]) -> None:
        """Have ``emitted`` told what was appended, as soon as it is acknowledged; in the thread that folds."""
        self._emitted = emitted

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
        """Fold what is new of one place's messages; see ``fold_all``."""
        self.fold_all({place: messages})

    def fold_all(self, waiting: Mapping[TopicPartition, Sequence[Message]]) -> None:
        """Fold what is new of the messages of each place, which are in order, and return when it is committed.

        Messages that were folded before are passed over, and those that the transport left out are read from the log.
        Where another worker moved the position meanwhile, what is left for us is folded from its state. Raises
        FencedError, StoreUnavailableError and LogError: nothing is lost then, and the same messages may come again.
        """
        fenced: Counter[TopicPartition] = Counter()
        with self._lock:
            while batches := list(self._round(waiting)):
                for place in self._apply(batches):
                    self.fenced += 1
                    fenced[place] += 1
                    if fenced[place] >= _TRIES:
                        raise FencedError(f"{self.processor.name}: others keep moving {place[0]}[{place[1]}]")

    def restore(self) -> None:
        """Fold off the log what the store has lost since we were there; a look at its positions where it lost nothing.

        Raises as ``fold_all`` does. Without it a partition of which no more messages come would stay lost.
        """
        lost: dict[TopicPartition, int] = {}
        with self._lock:
            kept = self._store.positions_of(self.processor.name, sorted(self._states))
            for (topic, partition), end in self._reached.items():
                if kept.get(partition, {}).get(topic, 0) < end:
                    lost[topic, partition] = end
                    self._doubted.add(partition)
            for partition in {at for _, at in lost}:
                self._current(partition)
        for place, end in lost.items():
            self._restore(place, end)

    def _restore(self, place: TopicPartition, end: int) -> None:
        while (start := self._positions.get(place, end)) < end:
            found = [message_of(one) for one in self._log.read(*place, start, _MOST_MESSAGES) if one.offset < end]
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
        new = set(self.processor.topics) - held.positions.keys() if self._asks else ()
        ends = {topic: self._log.end(topic).get(partition, 0) for topic in new}
        return PartitionState(self.processor, partition, self._store, held, ends)

    def _current(self, partition: int) -> PartitionState:
        if partition in self._doubted:
            state = self._states[partition] = self._loaded(partition)
            self._doubted.remove(partition)
            for topic in self.processor.topics:
                self._positions[topic, partition] = state.positions.get(topic, 0)
        return self._states[partition]

    # --- a round: at most one batch of each partition; the caller holds the lock ---

    def _round(self, waiting: Mapping[TopicPartition, Sequence[Message]]) -> Iterator[_Batch]:
        """Yield what comes next of each partition; of several topics of one, the first of which something is left."""
        taken: set[int] = set()
        for place, messages in waiting.items():
            if place[1] in taken:
                continue
            while chunk := self._next(place, messages):
                try:
                    events = self._steps.events(place, chunk)
                except PoisonError:
                    continue  # noted: once more, without that event
                taken.add(place[1])
                yield _Batch(place, self._states[place[1]], chunk, events)
                break

    def _next(self, place: TopicPartition, messages: Sequence[Message]) -> Sequence[Message]:
        """Return what comes next: none where all is done or was taken away while the messages waited."""
        if place[1] not in self._states:
            return []
        position = self._current(place[1]).positions.get(place[0], 0)
        start = bisect_left(messages, position, key=attrgetter("offset"))
        fresh = messages[start : start + _MOST_MESSAGES]
        if fresh and fresh[0].offset > position:
            between = [
                message_of(stored)
                for stored in self._log.read(*place, position, _MOST_MESSAGES)
                if stored.offset < fresh[0].offset
            ]
            return between or fresh
        return fresh

    def _apply(self, batches: Sequence[_Batch]) -> list[TopicPartition]:
        """Fold, emit and commit as much of the batches as one commit of each takes; return where somebody else was."""
        # Until it is committed: after an error nobody may go on from it.
        self._doubted.update(batch.place[1] for batch in batches)
        if self.processor.begins is not None and any(batch.events for batch in batches):
            self.processor.begins(_causes(batches))
        folded, fenced = self._folded(batches)
        others = self._moved([one.batch for one in folded if one.emitted and self._needs_proof(one.batch.state)])
        fenced += [one.batch.place for one in folded if one.batch.place in others]
        folded = [one for one in folded if one.batch.place not in others]
        if emitted := [record for one in folded for record in one.emitted]:
            self._emit(emitted)
        done = self._store.commit_all(self.processor.name, [self._commit(one) for one in folded])
        for one, is_done in zip(folded, done, strict=True):
            if is_done:
                self._committed(one)
            else:
                fenced.append(one.batch.place)
        return fenced

    def _emit(self, records: Sequence[Record]) -> None:
        appended = self._log.append(records)
        if self._emitted is not None:
            self._emitted(placed(records, appended))

    def _folded(self, batches: Sequence[_Batch]) -> tuple[list[_Folded], list[TopicPartition]]:
        """Return the batches folded in memory, and where the store's rows are another's already."""
        ready, fenced = self._prepared(batches)
        found = []
        for batch in ready:
            try:
                emitted, new = self._steps.fold(batch.state, batch.place, batch.messages, batch.events)
            except PoisonError:
                continue  # noted: the next round folds it from the store's state, without that event
            found.append(_Folded(batch, emitted, new))
        return found, fenced

    def _prepared(self, batches: Sequence[_Batch]) -> tuple[list[_Batch], list[TopicPartition]]:
        """Read what the events touch and memory has not; return also where that is not of the state that we are at."""
        missing: dict[int, list[Row]] = {}
        ready, fenced = [], []
        for batch in batches:
            batch.state.load()
            with suppress(PoisonError):  # noted: the next round goes without that event
                missing[batch.place[1]] = batch.state.missing(self._steps.wanted_rows(batch.place, batch.events))
                ready.append(batch)
        asked = {partition: rows for partition, rows in missing.items() if rows}
        found = self._store.read(self.processor.name, asked) if asked else {}
        for batch in list(ready):
            part = found.get(batch.place[1])
            if part is not None and part.positions != batch.state.positions:
                ready.remove(batch)
                fenced.append(batch.place)
            elif part is not None:
                batch.state.fill(asked[batch.place[1]], part.rows)
        return ready, fenced

    def _needs_proof(self, state: PartitionState) -> bool:
        """Return whether what a batch says may be more than its state and its log would have anybody say.

        Rows that were read in the middle of it may be another's work; a planner's audience is another one later.
        """
        return state.strayed or self.processor.recalls

    def _moved(self, batches: Sequence[_Batch]) -> set[TopicPartition]:
        """Return where another worker has moved a position: of what follows there nothing may be said aloud."""
        if not batches:
            return set()
        kept = self._store.positions_of(self.processor.name, [batch.place[1] for batch in batches])
        return {batch.place for batch in batches if kept[batch.place[1]] != batch.state.positions}

    def _commit(self, one: _Folded) -> Commit:
        (topic, _), state = one.batch.place, one.batch.state
        # Whoever moved another topic's position changed the state that this was made from.
        others = {name: state.positions.get(name, 0) for name in self.processor.topics if name != topic}
        changes = replace(state.drain(), beside=others)
        return Commit(one.batch.place, state.positions.get(topic, 0), one.new, changes)

    def _committed(self, one: _Folded) -> None:
        place = one.batch.place
        one.batch.state.committed(place[0], one.new)
        self._positions[place] = one.new
        self._reached[place] = max(one.new, self._reached.get(place, 0))
        self._doubted.remove(place[1])
