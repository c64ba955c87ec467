"""Finds the newest records of a log that has no single order, reading no more of each partition than it must."""

from collections.abc import Collection

from streams.log.port import EventLog, Stored, TopicPartition

_MOST = 5_000


def newest(
    log: EventLog, topics: Collection[str], types: Collection[str] | None, count: int
) -> tuple[list[Stored], dict[TopicPartition, int]]:
    """Return the last ``count`` records of these types (all, if None) by time, and the ends up to which was looked."""
    found: list[Stored] = []
    ends: dict[TopicPartition, int] = {}
    for topic in topics:
        for partition, end in log.end(topic).items():
            ends[topic, partition] = end
            found += _last(log, (topic, partition), end, types, count)
    found.sort(key=lambda stored: stored.record.recorded_at)
    return found[len(found) - min(count, len(found)) :], ends


def _last(log: EventLog, place: TopicPartition, end: int, types: Collection[str] | None, count: int) -> list[Stored]:
    kept: list[Stored] = []
    piece, start = max(count, 1), end
    while start > 0 and len(kept) < count:
        behind, start = start, max(0, start - piece)
        wanted = [one for one in _between(log, place, start, behind) if types is None or one.record.type in types]
        kept = wanted + kept
        piece = min(2 * piece, _MOST)
    return kept[len(kept) - min(count, len(kept)) :]


def _between(log: EventLog, place: TopicPartition, start: int, end: int) -> list[Stored]:
    found: list[Stored] = []
    while start < end:
        piece = [stored for stored in log.read(*place, start, end - start) if stored.offset < end]
        if not piece:
            break
        found += piece
        start = piece[-1].offset + 1
    return found
