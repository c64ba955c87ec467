"""What a process needs to follow a log as it grows, without a consumer group; it keeps no position for anybody."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from streams.log.port import Positions, Stored, TopicPartition


class Tailed(NamedTuple):
    """What came of one partition. ``position`` is the offset behind the last of it, whatever was left out.

    Messages that are no records (a stranger wrote to the topic) are left out, and so are those of types that were not
    asked for; ``Stored.chain`` is empty.
    """

    place: TopicPartition
    records: Sequence[Stored]
    position: int


class Tail(Protocol):
    """An open end of a log. For one thread at a time; ``close`` by the same."""

    def poll(self, timeout: float) -> list[Tailed]:
        """Return what came since the last call, at most one for each partition and in its order.

        Waits up to ``timeout`` seconds for the first. Raises LogUnavailableError, after which it may be asked again, and
        LogCorruptError for a record whose schema cannot be found.
        """

    def close(self) -> None:
        """Release what it holds."""


class TailedLog(Protocol):
    """A log that can be followed."""

    def partitions(self, topic: str) -> int:
        """Return the number of partitions of ``topic``; raises KeyError for a topic that is not declared."""

    def tail(self, positions: Positions, types: frozenset[str] | None = None) -> Tail:
        """Follow the partitions that ``positions`` names, each from there on, for events of these types (None: all).

        Raises LogUnavailableError.
        """
