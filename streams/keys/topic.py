"""The truth of the distributed key store: a compacted topic, the last word on each owner. It knows no lookups."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeAlias

from streams.keys.store import Kept

Change: TypeAlias = tuple[str, bytes | None]
"""An owner, and what is kept of it from now on (``row_of``); None erases it."""


def row_of(kept: Kept) -> bytes:
    """Return what is written of an owner: one byte with the wrapped key's length, the wrapped key, the hash if any."""
    return bytes([len(kept.wrapped)]) + kept.wrapped + (kept.lookup or b"")


def kept_of(row: bytes) -> Kept:
    """Read what ``row_of`` wrote."""
    end = 1 + row[0]
    return Kept(row[1:end], row[end:] or None)


class KeyTopic(Protocol):
    """A compacted topic. Methods block, may be called from any thread, and raise ``streams.log.port.LogError``."""

    identity: str
    """Tells this very topic from one of the same name that was made anew or lies elsewhere."""

    def append(self, changes: Sequence[Change]) -> None:
        """Write last words in this order and return when they are durable; after an error some of them may be."""

    def replay(self) -> Iterator[list[Change]]:
        """Yield what was written, oldest first, up to the end as of the call; overwritten words may be left out."""

    def close(self) -> None:
        """Release what it holds."""
