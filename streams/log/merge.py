"""Brings the partitions of a log into one order, reading ahead in each. It does not know where records come from."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeAlias

from streams.log.port import Positions, Stored, TopicPartition

Read: TypeAlias = Callable[[TopicPartition, int, int, int], list[Stored]]
"""Partition, start, limit, end: up to ``limit`` records of ``[start, end)``; none only where none are left."""
_CHUNK = 256


class ReadAhead:
    """Reads partitions by turns and keeps what it read too early for the next call. For one thread at a time.

    ``topics`` are in the order in which one brings about the other: an event and what it brings about may carry the
    same time, and causes come before effects.
    """

    def __init__(self, read: Read, topics: Sequence[str]) -> None:
        self._read = read
        self._rank = {topic: rank for rank, topic in enumerate(topics)}
        self._kept: dict[TopicPartition, tuple[int, list[Stored]]] = {}

    def merged(self, positions: Positions, ends: Positions, limit: int) -> list[Stored]:
        """Return the next ``limit`` records behind ``positions``, by time; within a partition by offset."""
        left = {place: positions.get(place, 0) for place, end in ends.items() if positions.get(place, 0) < end}
        chunk = max(_CHUNK, limit // max(1, len(left)))
        lines = (self._line(place, start, ends[place], chunk) for place, start in left.items())
        return list(islice(heapq.merge(*lines, key=self._arrival), limit))

    def one_by_one(self, ends: Positions) -> Iterator[Stored]:
        """Iterate over everything, one partition after the other."""
        for place, end in ends.items():
            yield from self._line(place, 0, end, 4 * _CHUNK)

    def _line(self, place: TopicPartition, start: int, end: int, chunk: int) -> Iterator[Stored]:
        while start < end:
            begin, ahead = self._kept.get(place, (0, []))
            if not ahead or not begin <= start <= ahead[-1].offset:
                ahead = self._read(place, start, chunk, end)
                self._kept[place] = start, ahead
            if not ahead:
                return
            for stored in ahead:
                if stored.offset >= start:
                    yield stored
            start = ahead[-1].offset + 1

    def _arrival(self, stored: Stored) -> tuple[int, int, int]:
        return stored.record.recorded_at, self._rank[stored.record.topic], stored.partition


def behind(records: Iterable[Stored]) -> Mapping[TopicPartition, int]:
    """Return the position behind the last of ``records`` in each partition."""
    return {(stored.record.topic, stored.partition): stored.offset + 1 for stored in records}
