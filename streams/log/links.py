"""Remembers the hash chain of a partition at some offsets, for an engine that does not store it. It reads no log."""

from bisect import bisect_right, insort

from streams.log.chain import GENESIS

STRIDE = 1024
"""So many records lie at most between two remembered links that were passed one by one."""


class Links:
    """What is known of one partition's chain: the link before the record at each remembered offset."""

    def __init__(self) -> None:
        self._offsets = [0]
        self._links = {0: GENESIS}

    def before(self, offset: int) -> tuple[int, bytes]:
        """Return the remembered offset nearest at or below ``offset``, and the link before the record there."""
        known = self._offsets[bisect_right(self._offsets, offset) - 1]
        return known, self._links[known]

    def remember(self, offset: int, link: bytes) -> None:
        """Note the link that the record at ``offset``, or the next one after it, continues."""
        if offset not in self._links:
            insort(self._offsets, offset)
            self._links[offset] = link
