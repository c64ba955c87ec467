"""The end of a log and how to go on from there, with a cursor behind each event; it prints nothing."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import msgspec

from streams.log import vector
from streams.log.newest import newest
from streams.log.port import EventLog, Stored, TopicPartition
from streams.log.sqlite import SqliteEventLog
from tocsin.cli.datafolder import last_offset

_CHUNK = 500


class Line(NamedTuple):
    """An event, and the cursor that begins behind it."""

    stored: Stored
    cursor: str


def last_lines(log: EventLog, types: Collection[str] | None, count: int) -> tuple[list[Line], str | None]:
    """Return the last ``count`` events of these types as far as they are at hand, and the cursor to go on from."""
    if isinstance(log, SqliteEventLog):
        return [], _cursor_before(log, types, count)
    from schemas.topics import TOPICS  # noqa: PLC0415 -- a folder's log is shown without the schemas

    found, ends = newest(log, [topic.name for topic in TOPICS], types, count)
    positions = dict(ends)
    lines: list[Line] = []
    for stored in reversed(found):
        lines.append(Line(stored, vector.encode(positions)))
        positions[_place(stored)] = stored.offset
    return lines[::-1], vector.encode(ends)


def lines_after(log: EventLog, cursor: str | None) -> tuple[list[Line], str]:
    """Return the next events behind ``cursor`` (None or "0": the beginning), and the cursor behind them.

    Raises ValueError for a cursor of another log.
    """
    if isinstance(log, SqliteEventLog):
        found, following = log.scan(cursor, _CHUNK)
        return [Line(stored, str(stored.offset + 1)) for stored in found], following
    start = None if cursor == "0" else cursor
    found, following = log.scan(start, _CHUNK)
    positions = dict(_positions(log, start, found))
    lines = []
    for stored in found:
        positions[_place(stored)] = stored.offset + 1
        lines.append(Line(stored, vector.encode(positions)))
    return lines, following


def _positions(log: EventLog, cursor: str | None, found: list[Stored]) -> Mapping[TopicPartition, int]:
    if cursor is None or not found:
        return {}
    from schemas.topics import TOPICS  # noqa: PLC0415 -- as above

    return vector.decode(cursor, {topic.name: log.partitions(topic.name) for topic in TOPICS})


def _place(stored: Stored) -> TopicPartition:
    return stored.record.topic, stored.partition


def _cursor_before(log: SqliteEventLog, types: Collection[str] | None, count: int) -> str:
    """Return the cursor before the last ``count`` events of the wanted types."""
    if not count:
        return str(last_offset(log) + 1)
    statement = (
        "select min(seq) from (select seq from log"
        " where ? or type in (select value from json_each(?)) order by seq desc limit ?)"
    )
    wanted = msgspec.json.encode(sorted(types or ())).decode()
    (found,) = log.query(statement, (types is None, wanted, count))[0]
    return str(found or 0)
