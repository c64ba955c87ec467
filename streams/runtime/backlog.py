"""How far the folds of the distributed engine lie behind the log, and since when. It reads and moves nothing."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from schemas.events import Micros
from streams.domain.processor import Processor
from streams.log.port import EventLog, TopicPartition
from streams.runtime.state_store import StateStore

_READ = 20
"""A backlog that is longer counts with what nobody wants; it is long either way, and reading it would lengthen it."""


class Behind(NamedTuple):
    """What one reader has yet to fold: how many events, and when the oldest of them was recorded."""

    records: int
    oldest: Micros | None


NOTHING = Behind(0, None)


class Backlog:
    """Asks log and store; methods block, and raise LogUnavailableError and StoreUnavailableError."""

    def __init__(self, log: EventLog, store: StateStore) -> None:
        self._log = log
        self._store = store

    def of(self, processors: Iterable[Processor], partitions: Collection[int] | None = None) -> dict[str, Behind]:
        """Return what each processor has yet to fold, of all partitions or of these."""
        chosen = list(processors)
        # Positions first: what an end covers and a position does not was unfolded at some moment in between.
        positions = {processor.name: self._positions(processor, partitions) for processor in chosen}
        ends = self.ends({topic for processor in chosen for topic in processor.topics})
        return {processor.name: self.behind(processor, positions[processor.name], ends) for processor in chosen}

    def ends(self, topics: Collection[str]) -> dict[TopicPartition, int]:
        """Return where the partitions of these topics end."""
        return {(topic, partition): end for topic in topics for partition, end in self._log.end(topic).items()}

    def behind(
        self, processor: Processor, positions: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> Behind:
        """Return what lies between positions and ends, without the types that the processor does not want."""
        found = [self._between(processor, place, start, ends[place]) for place, start in positions.items()]
        oldest = [each.oldest for each in found if each.oldest is not None]
        return Behind(sum(each.records for each in found), min(oldest, default=None))

    def _positions(self, processor: Processor, partitions: Collection[int] | None) -> dict[TopicPartition, int]:
        count = max(self._log.partitions(topic) for topic in processor.topics)
        found: dict[TopicPartition, int] = {}
        for partition in range(count) if partitions is None else partitions:
            known = self._store.positions(processor.name, partition)
            found |= {(topic, partition): known.get(topic, 0) for topic in processor.topics}
        return found

    def _between(self, processor: Processor, place: TopicPartition, start: int, end: int) -> Behind:
        if start >= end:
            return NOTHING
        records = [stored.record for stored in self._log.read(*place, start, _READ)]
        wanted = [record for record in records if record.type in processor.types]
        more = max(0, end - start - _READ)
        if more and not wanted:
            wanted = records[:1]
        return Behind(len(wanted) + more, min((record.recorded_at for record in wanted), default=None))


def worst(behind: Mapping[str, Behind]) -> tuple[str, Micros] | None:
    """Return who has left an event lying for longest, and when that was recorded; None where nothing waits."""
    waiting: Sequence[tuple[Micros, str]] = sorted(
        (each.oldest, name) for name, each in behind.items() if each.oldest is not None
    )
    return None if not waiting else (waiting[0][1], waiting[0][0])
