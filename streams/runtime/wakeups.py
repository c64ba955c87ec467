"""Fires the timers that are due on the partitions that this worker has; what a wake-up brings about is the fold's matter.

A wish is committed with the state that it belongs to, so whoever has the partition has the wish. Whoever takes one over
fires nothing until it has folded what lay there (``PartitionFold.wishes_due``): a wake-up that its predecessor appended
is then known. Two of them can only meet where a worker that was paused does not know yet that it was replaced, and then
both bear the same id, and folds pass over the second.
"""

from collections.abc import Iterable

from streams.log.port import record_of
from streams.runtime.clock import Clock
from streams.runtime.embedded import timer_event
from streams.runtime.kafka_publisher import Appends
from streams.runtime.partition_fold import PartitionFold
from streams.runtime.partition_state import Due

_MOST = 200


class Wakeups:
    """Appends wake-ups, each once while it lives. For one thread at a time."""

    def __init__(self, log: Appends, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._fired: set[tuple[str, int, Due]] = set()

    def fire(self, owned: Iterable[tuple[int, PartitionFold]]) -> int:
        """Append what is due on these partitions, and return how many wake-ups that were; raises LogUnavailableError."""
        now = self._clock()
        due = {
            (fold.processor.name, partition, wish): fold.processor
            for partition, fold in owned
            for wish in fold.wishes_due(partition, now, _MOST)
        }
        new = {key: processor for key, processor in due.items() if key not in self._fired}
        if new:
            self._log.append(
                [
                    record_of(
                        timer_event(name, wish.page, wish.timer, wish.due, now),
                        topic=processor.topics[0],
                        key=processor.timer_key(wish.page, wish.timer),
                    )
                    for (name, _, wish), processor in new.items()
                ]
            )
        # What the fold took back is forgotten: the same timer may be wished for again, for the same time.
        self._fired = set(due)
        return len(new)
