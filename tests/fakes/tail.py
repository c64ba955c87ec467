"""A log in memory that can be followed, as the one on Kafka can: by looking again and again."""

from threading import Event
from time import monotonic

from streams.log.memory import MemoryEventLog
from streams.log.port import LogUnavailableError, Positions, TopicPartition
from streams.log.tail import Tailed

_LOOK_SECONDS = 0.002
_LONGEST_SECONDS = 0.02
"""A test that stops a follower waits for no more than this."""


class MemoryTail:
    """A ``Tail`` of it; at most ``limit`` records of a partition at once."""

    def __init__(self, log: "TailedMemoryLog", positions: Positions, limit: int, types: frozenset[str] | None) -> None:
        self._log = log
        self._types = types
        self._positions = dict(positions)
        self._limit = limit
        self._never = Event()

    def poll(self, timeout: float) -> list[Tailed]:
        until = monotonic() + min(timeout, _LONGEST_SECONDS)
        while not (found := [tailed for place in self._positions if (tailed := self._next(place)) is not None]):
            if monotonic() > until:
                break
            self._never.wait(_LOOK_SECONDS)
        return found

    def close(self) -> None:
        self._log.tails.remove(self)

    def _next(self, place: TopicPartition) -> Tailed | None:
        if self._log.away.is_set():
            raise LogUnavailableError("the log is away")
        records = self._log.read(*place, self._positions[place], self._limit)
        if not records:
            return None
        self._positions[place] = records[-1].offset + 1
        wanted = [stored for stored in records if self._types is None or stored.record.type in self._types]
        return Tailed(place, wanted, self._positions[place])


class TailedMemoryLog(MemoryEventLog):
    """``tails`` are those that are open; while ``away`` is set they cannot be asked."""

    def __init__(self, partitions: dict[str, int], limit: int = 7) -> None:
        super().__init__(partitions)
        self.tails: list[MemoryTail] = []
        self.away = Event()
        self._limit = limit

    def tail(self, positions: Positions, types: frozenset[str] | None = None) -> MemoryTail:
        self.tails.append(MemoryTail(self, positions, self._limit, types))
        return self.tails[-1]
