"""What the log says to an audience index: all of it, folded, or who was touched behind a place. It decides nothing: the fold does."""

from typing import NamedTuple

from consumers.delivery.audience_index import AudienceIndex
from consumers.delivery.subscriber_book import IndexedTable
from consumers.delivery.subscribers import OF_SUBSCRIBERS, SUBSCRIBERS, step
from schemas.topics import SUBSCRIPTIONS
from streams.domain.processor import Unheard
from streams.log.sqlite import SqliteEventLog
from streams.runtime.replay import events_from, patient_collector

_TO_THE_END = 2**63 - 1


class _Reader(NamedTuple):
    name: str
    topics: frozenset[str]
    types: frozenset[str]


_READER = _Reader("audience", frozenset({SUBSCRIPTIONS.name}), frozenset(kind.__name__ for kind in OF_SUBSCRIBERS))


def touched(log: SqliteEventLog, start: int, end: int) -> set[tuple[str, str]]:
    """Return page and id of those of whom the log tells from offset ``start`` on, below ``end``; raises LogCorruptError."""
    return {
        (event.page, event.data.subscriber)
        for event in events_from(log, _READER, start, end)
        if isinstance(event.data, OF_SUBSCRIBERS)
    }


def fold(log: SqliteEventLog, index: AudienceIndex, start: int, end: int = _TO_THE_END) -> int:
    """Fold what lies on the log from offset ``start`` on, below ``end``, into ``index``; return how many events it were.

    Raises LogCorruptError.
    """
    state, count = {SUBSCRIBERS: IndexedTable(index)}, 0
    with patient_collector():
        for event in events_from(log, _READER, start, end):
            step(state, event, Unheard(event))
            count += 1
    return count
