"""Computes the hash chain of a partition for an engine that does not store it, and remembers it at some offsets."""

from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from typing import TypeAlias

from streams.log.chain import GENESIS, link
from streams.log.port import Record, Stored

Fetch: TypeAlias = Callable[[int, int], Sequence[tuple[int, Record]]]
"""Start and limit: the next records with their offsets, none only at the end."""
_STRIDE = 1024


class Links:
    """What is known of one partition's chain: the link before the record at each remembered offset."""

    def __init__(self) -> None:
        self._offsets = [0]
        self._links = {0: GENESIS}

    def chained(self, partition: int, start: int, limit: int, fetch: Fetch) -> list[Stored]:
        """Return up to ``limit`` records from ``start`` on with their links.

        What lies between ``start`` and the nearest remembered link below it is fetched too: the whole partition, where
        nothing is remembered yet.
        """
        found: list[Stored] = []
        begin = self._offsets[bisect_right(self._offsets, start) - 1]
        last = self._links[begin]
        while len(found) < limit:
            fetched = fetch(begin, _STRIDE if begin < start else limit - len(found))
            if not fetched:
                break
            for offset, record in fetched:
                last = link(last, record.fingerprint, record.body)
                if offset >= start and len(found) < limit:
                    found.append(Stored(record, partition, offset, last))
            begin = fetched[-1][0] + 1
            self._remember(begin, last)
        return found

    def _remember(self, offset: int, link_before: bytes) -> None:
        if offset not in self._links:
            insort(self._offsets, offset)
            self._links[offset] = link_before
