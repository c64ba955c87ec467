"""What the distributed engine asks of the store that keeps a processor's state and position together; it keeps nothing."""

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeAlias

from streams.log.port import TopicPartition

Row: TypeAlias = tuple[str, str, str]
"""Table, page, key."""


class StateStore(Protocol):
    """Rows and positions by processor.

    All methods block and may be called from any thread. They raise whatever the store's client raises where it cannot
    be reached: the worker then ends and is started again.
    """

    def position(self, processor: str, place: TopicPartition) -> int:
        """Return the offset to read next; 0 where nothing is stored, so that an empty store is folded anew."""

    def rows(self, processor: str, partition: int) -> Iterable[tuple[Row, bytes]]:
        """Return all rows that this partition's events made; partitions share no row."""

    def commit(
        self, processor: str, place: TopicPartition, expected: int, new: int, changed: Mapping[Row, bytes | None]
    ) -> bool:
        """Write ``changed`` (None deletes) and the position ``new`` in one step, if the position is ``expected``.

        False means that somebody else moved it: nothing was written, and the caller's state is worthless.
        """
