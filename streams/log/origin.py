"""Names where a record comes from, so that a second copy of it is known as one; it reads and keeps nothing.

A worker that dies between emitting and noting its position emits again. Every emission therefore carries
``processor/topic/partition@offset.rank``: the place and offset of its cause, and the how manyeth of the cause's emissions
it is. A place receives what one source emits in the order of (offset, rank), so the highest one folded tells all others.
"""

from typing import NamedTuple

from streams.log.port import TopicPartition

_IMPORT = "import"


class Origin(NamedTuple):
    """``source`` is what comes before the @; within a source (offset, rank) grows."""

    source: str
    offset: int
    rank: int

    @property
    def imported(self) -> bool:
        """Whether the record was carried over from another log, on which all that follows from it lies as well."""
        return self.source.startswith(f"{_IMPORT}/")


def emitted(processor: str, cause: TopicPartition, offset: int, rank: int) -> str:
    """Return the origin of an emission; ``rank`` counts the emissions of one cause from 0."""
    return f"{processor}/{cause[0]}/{cause[1]}@{offset}.{rank}"


def imported(place: TopicPartition, offset: int) -> str:
    """Return the origin of a record that is carried over from ``place`` of another log.

    A fold makes its effects on the state and none of its emissions, and passes over a second copy: an import that was
    broken off may begin again anywhere before.
    """
    return emitted(_IMPORT, place, offset, 0)


def parse(text: str) -> Origin | None:
    """Return the origin, or None for what is none (a record that nobody emitted has an empty one)."""
    source, at, where = text.rpartition("@")
    offset, dot, rank = where.partition(".")
    if at and dot and offset.isdecimal() and rank.isdecimal():
        return Origin(source, int(offset), int(rank))
    return None
