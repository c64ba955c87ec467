"""Every order in which a log may hand out its records: within a partition as they lie, between partitions at will."""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from hypothesis import strategies as st

from schemas.events import AnyEvent
from schemas.topics import TOPIC_OF_NAME, partition_of, route
from streams.log.port import Stored

T = TypeVar("T")


def by_key(event: AnyEvent) -> Hashable:
    """The topic and key of an event: what a fold may rely on is the order within one of these, and no other."""
    return route(event)


def by_partition(event: AnyEvent) -> Hashable:
    """The topic and partition of an event, as an engine with the declared partitions lays it."""
    topic, key = route(event)
    return topic, partition_of(key, TOPIC_OF_NAME[topic].partitions)


def by_place(stored: Stored) -> Hashable:
    """The topic and partition of a record that a log has given out."""
    return stored.record.topic, stored.partition


def interleavings(
    records: Sequence[T], line: Callable[[T], Hashable], *, repeats: bool = False
) -> st.SearchStrategy[list[T]]:
    """Yield any order of ``records`` that keeps the order within each ``line``; shrinks to the order given.

    With ``repeats`` a line may also go back and hand out again what it already gave, as a consumer sees it whose
    position was not yet moved when it died.
    """
    lines: dict[Hashable, list[T]] = defaultdict(list)
    for record in records:
        lines[line(record)].append(record)
    if repeats:
        chosen = st.tuples(*(_with_repeats(each) for each in lines.values()))
    else:
        chosen = st.just(tuple(lines.values()))
    return chosen.flatmap(_merged)


def _merged(lines: Sequence[Sequence[T]]) -> st.SearchStrategy[list[T]]:
    turns = [number for number, each in enumerate(lines) for _ in each]

    def dealt(order: Sequence[int]) -> list[T]:
        waiting = [deque(each) for each in lines]
        return [waiting[number].popleft() for number in order]

    return st.permutations(turns).map(dealt)


@st.composite
def _with_repeats(draw: st.DrawFn, line: list[T]) -> list[T]:
    stop = draw(st.integers(0, len(line)))
    again = draw(st.integers(0, stop))
    return [*line[:stop], *line[stop - again :]]
