"""Knows how far the emissions of every source are folded into one partition; it neither reads nor writes a store."""

from collections.abc import Mapping

from streams.log.origin import Origin


class Origins:
    """The highest (offset, rank) folded from each source, apart for each topic it was met on.

    Made of ``Held.origins``; whoever folds a partition asks ``is_new`` of every message in order.
    """

    def __init__(self, stored: Mapping[str, bytes]) -> None:
        self._highest = {name: _unpacked(value) for name, value in stored.items() if "<" in name}
        self._changed: set[str] = set()

    def is_new(self, topic: str, origin: Origin) -> bool:
        """Return whether this emission was not folded before, and note that now it is."""
        name = f"{topic}<{origin.source}"
        at = (origin.offset, origin.rank)
        if name in self._highest and at <= self._highest[name]:
            return False
        self._highest[name] = at
        self._changed.add(name)
        return True

    def all(self) -> dict[str, bytes]:
        """Return all that is known, as a store keeps it."""
        return {name: self._bytes(name) for name in self._highest}

    def drain(self) -> dict[str, bytes]:
        """Return what changed since the last call, as a store keeps it."""
        changed, self._changed = self._changed, set()
        return {name: self._bytes(name) for name in sorted(changed)}

    def _bytes(self, name: str) -> bytes:
        return "{}.{}".format(*self._highest[name]).encode()


def _unpacked(value: bytes) -> tuple[int, int]:
    offset, _, rank = value.partition(b".")
    return int(offset), int(rank)
