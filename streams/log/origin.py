"""Names where a record comes from, so that a second copy of it is known as one; it reads and keeps nothing.

A worker that dies between emitting and noting its position emits again. Every emission therefore carries
``processor/topic/partition@offset.rank+since``: the place and offset of its cause, the how manyeth of the cause's
emissions it is, and the position from which the cause's batch was folded: all that follows from what lies before was
acknowledged. Where somebody must know whether all of a cause's emissions are there, ``/of`` how many follows. A place receives what one source emits in the order of (offset, rank), so the highest folded tells all others.
"""

import re
from typing import NamedTuple

from streams.log.port import TopicPartition

_IMPORT = "import"
_FORM = re.compile(r"(.+)@([0-9]{1,19})\.([0-9]{1,19})(?:\+([0-9]{1,19}))?(?:/([0-9]{1,19}))?", re.DOTALL)


class Origin(NamedTuple):
    """``source`` is what comes before the @; within a source (offset, rank) grows. ``of`` is how many there are, 0: not said."""

    source: str
    offset: int
    rank: int
    since: int = 0
    of: int = 0

    @property
    def imported(self) -> bool:
        """Whether the record was carried over from another log, on which all that follows from it lies as well."""
        return self.source.startswith(f"{_IMPORT}/")


def source(processor: str, cause: TopicPartition) -> str:
    """Return the source of all that a processor emits because of one partition."""
    return f"{processor}/{cause[0]}/{cause[1]}"


def emitted(processor: str, cause: TopicPartition, offset: int, rank: int, since: int = 0, of: int = 0) -> str:
    """Return the origin of an emission; ``rank`` counts the emissions of one cause from 0."""
    return f"{source(processor, cause)}@{offset}.{rank}+{since}" + (f"/{of}" if of else "")


def imported(place: TopicPartition, offset: int) -> str:
    """Return the origin of a record that is carried over from ``place`` of another log.

    A fold makes its effects on the state and none of its emissions, and passes over a second copy: an import that was
    broken off may begin again anywhere before.
    """
    return emitted(_IMPORT, place, offset, 0)


def cause_of(origin: Origin) -> tuple[TopicPartition, int] | None:
    """Return the place of an emission's cause and the offset behind it; None for what was carried over."""
    if origin.imported:
        return None
    _, topic, partition = origin.source.rsplit("/", 2)
    return (topic, int(partition)), origin.offset + 1


def parse(text: str) -> Origin | None:
    """Return the origin, or None for what is none (a record that nobody emitted has an empty one)."""
    found = _FORM.fullmatch(text)
    return (
        None
        if found is None
        else Origin(found[1], int(found[2]), int(found[3]), int(found[4] or 0), int(found[5] or 0))
    )
