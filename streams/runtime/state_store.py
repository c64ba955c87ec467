"""What the distributed engine asks of the store that keeps a processor's state and position together; it keeps nothing.

State belongs to a processor and a partition number: partition N of all topics of a processor is one state. Rows,
ranks, wishes and origins of one (processor, partition) move in one step with a position, or not at all.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

import msgspec

from schemas.events import Micros
from streams.log.port import TopicPartition

Row: TypeAlias = tuple[str, str, str]
"""Table, page, key."""
Rank: TypeAlias = tuple[str, str]
"""The name of a ranking, and a member of it."""
Wish: TypeAlias = tuple[str, str]
"""Page and timer."""
Listener: TypeAlias = Callable[[str, int, frozenset[str]], None]
"""Called with processor, partition and the pages whose rows a commit changed."""


class Changes(msgspec.Struct, frozen=True):
    """What one batch changes beside the position. None deletes."""

    rows: Mapping[Row, bytes | None] = {}
    ranks: Mapping[Rank, int | None] = {}
    """Members of rankings and their scores (whole numbers below 2**53): what a reader may ask for in their order."""
    wishes: Mapping[Wish, Micros | None] = {}
    """When each timer wants to be woken."""
    origins: Mapping[str, bytes] = {}
    """For each place that emits into this one, how far what it emitted has been folded: see ``runtime.origins``."""
    beside: Mapping[str, int] = {}
    """Positions of the partition's other topics from which this was made: where one has moved, nothing is written."""


class Commit(NamedTuple):
    """A batch's end: ``changes`` and the position ``new`` of a place, if the position is ``expected`` until then."""

    place: TopicPartition
    expected: int
    new: int
    changes: Changes


class Part(NamedTuple):
    """Rows of one partition, and its positions as of when or after they were read: unmoved, they prove the rows."""

    positions: Mapping[str, int]
    rows: Mapping[Row, bytes]


class Held(msgspec.Struct, frozen=True):
    """The small things of one (processor, partition), as of one moment."""

    positions: Mapping[str, int]
    """By topic, the offset to read next; a topic that is absent is read from 0."""
    wishes: Mapping[Wish, Micros]
    origins: Mapping[str, bytes]


class StateStore(Protocol):
    """State and positions by processor and partition.

    All methods block and may be called from any thread. They raise StoreUnavailableError where the store cannot be
    reached: the worker then ends and is started again.
    """

    def held(self, processor: str, partition: int) -> Held:
        """Return positions, wishes and origins; all empty where nothing is stored, so that an empty store is folded anew.

        Raises HalfLostError where the store kept some of what was committed and lost the rest.
        """

    def positions(self, processor: str, partition: int) -> Mapping[str, int]:
        """Return the positions of ``held`` alone: cheap, for whoever asks often."""

    def positions_of(self, processor: str, partitions: Sequence[int]) -> dict[int, Mapping[str, int]]:
        """Return the positions of several partitions, with one question."""

    def rows(self, processor: str, partition: int, tables: Sequence[str]) -> Iterable[tuple[Row, bytes]]:
        """Return all rows of these tables that this partition's events made; partitions share no row."""

    def page(self, processor: str, partition: int, table: str, page: str) -> dict[str, bytes]:
        """Return one page's rows of one table by key."""

    def fetch(self, processor: str, partition: int, wanted: Sequence[Row]) -> dict[Row, bytes]:
        """Return those of the rows that exist."""

    def read(self, processor: str, wanted: Mapping[int, Sequence[Row]]) -> dict[int, Part]:
        """Return those of the rows that exist by partition, with one question."""

    def snapshot(self, processor: str, partition: int, tables: Sequence[str]) -> tuple[Held, list[tuple[Row, bytes]]]:
        """Return what ``held`` returns and the rows of these tables, all as of one moment: what a follower goes on from."""

    def ranked(
        self, processor: str, partition: int, ranking: str, upto: int | None, limit: int
    ) -> list[tuple[str, int]]:
        """Return members with their scores in ascending order of (score, member), none above ``upto``."""

    def ranked_of(
        self, processor: str, partitions: Sequence[int], ranking: str, upto: int | None, limit: int
    ) -> dict[int, list[tuple[str, int]]]:
        """Return what ``ranked`` returns of several partitions, with one question."""

    def ranked_count(self, processor: str, partition: int, ranking: str) -> int:
        """Return how many members a ranking has."""

    def commit(self, processor: str, place: TopicPartition, expected: int, new: int, changes: Changes) -> bool:
        """Write ``changes`` and the position ``new`` in one step, if the position is ``expected`` and all of ``changes.beside`` hold.

        False means that somebody else moved it: nothing was written, and the caller's state is worthless.
        """

    def commit_all(self, processor: str, commits: Sequence[Commit]) -> list[bool]:
        """Do several commits of different partitions with one question, each for itself: one says nothing of another.

        After an error any of them may be done.
        """

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` from a thread of the store's own after commits of any process.

        A hint that may come late, twice, or be lost while the connection is: whoever must not miss a change asks again.
        """

    def close(self) -> None:
        """Release what the store holds."""


class StoreUnavailableError(Exception):
    """The store cannot take or give state now."""


class HalfLostError(StoreUnavailableError):
    """The store kept some of a partition's state and lost the rest; a person must empty it, then it is folded anew."""
