"""The audit log as people read it: a record of the log as JSON, page by page in append order.

It shows what the log holds and decides nothing. What is sealed (addresses, dead letters' bodies) is never opened.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from schemas.codec import MalformedRecordError, UnknownSchemaError
from schemas.events import Micros
from streams.log.port import EventLog, Stored, event_of
from streams.log.sqlite import SqliteEventLog

MOST = 1_000
"""Events that one answer may hold."""
SEALED = "sealed"
"""What stands for encrypted bytes."""
_CHUNK = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICRO
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICRO
_ROWID = re.compile(r"[0-9]{1,18}")
# A key is the page's id, or begins with it and a slash; '0' is the character after the slash.
_OF_PAGE = (
    "select seq from log where seq >= ? and (key = ? or (key > ? || '/' and key < ? || '0')) order by seq limit ?"
)


def iso(at: Micros) -> str:
    """Return ``2026-11-18T10:00:00.000000Z``; a time beyond the calendar as its first or last moment."""
    inside = timedelta(microseconds=min(max(at, _FIRST), _LAST))
    return f"{(_EPOCH + inside).isoformat(timespec='microseconds').removesuffix('+00:00')}Z"


def item_of(stored: Stored) -> dict[str, Any]:
    """Return a record as ``{id, type, topic, occurred_at, recorded_at, actor, data}``.

    One that cannot be decoded has the reason in ``data``, an empty ``actor``, and no other time than its record's.
    """
    record = stored.record
    item = {"id": record.id, "type": record.type, "topic": record.topic}
    try:
        event = event_of(record)
    except (MalformedRecordError, UnknownSchemaError) as error:
        recorded_at = iso(record.recorded_at)
        data = {"unreadable": str(error)}
        return item | {"occurred_at": recorded_at, "recorded_at": recorded_at, "actor": "", "data": data}
    times = {"occurred_at": iso(event.occurred_at), "recorded_at": iso(event.recorded_at)}
    data = shown(msgspec.to_builtins(event.data, builtin_types=(bytes,)))
    return item | times | {"actor": event.actor, "data": data}


def shown(value: Any) -> Any:
    """Return plain values with times as text and bytes as ``sealed``."""
    match value:
        case bytes():
            return SEALED
        case dict():
            return {name: _field(name, each) for name, each in value.items()}
        case list():
            return [shown(each) for each in value]
        case _:
            return value


def _field(name: str, value: Any) -> Any:
    is_time = isinstance(value, int) and (name.endswith("_at") or name == "due")
    return iso(value) if is_time else shown(value)


def page_of_events(log: EventLog, page: str, after: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
    """Return up to ``limit`` (1 to 1000) events of ``page`` behind the cursor ``after``, and the cursor for the next.

    No cursor, or an empty one, is the beginning; the returned one is None at the end. Raises ValueError for a cursor
    that no answer gave and for a limit out of bounds.
    """
    if not 1 <= limit <= MOST:
        raise ValueError(f"limit must be between 1 and {MOST}")
    match log:
        case SqliteEventLog():
            found, following = _by_key(log, page, after or None, limit)
        case _:
            found, following = _by_scan(log, page, after or None, limit)
    return [item_of(stored) for stored in found], following


def _by_key(log: SqliteEventLog, page: str, after: str | None, limit: int) -> tuple[list[Stored], str | None]:
    if after is not None and not _ROWID.fullmatch(after):
        raise ValueError("malformed cursor")
    start = 0 if after is None else int(after)
    offsets = [seq for (seq,) in log.query(_OF_PAGE, (start, page, page, page, limit + 1))]
    found = [stored for offset in offsets[:limit] for stored in log.read_all(offset, 1)]
    return found, str(offsets[limit]) if len(offsets) > limit else None


def _by_scan(log: EventLog, page: str, after: str | None, limit: int) -> tuple[list[Stored], str | None]:
    found: list[Stored] = []
    cursor, following = after, None
    while True:
        chunk, behind = log.scan(cursor, _CHUNK)
        mine = [number for number, stored in enumerate(chunk) if stored.record.key.partition("/")[0] == page]
        for number in mine:
            if len(found) == limit:
                return found, following
            found.append(chunk[number])
            if len(found) == limit:
                # The cursor behind this very record; whether anything follows is seen further on.
                _, following = log.scan(cursor, number + 1)
        if not chunk:
            return found, None
        cursor = behind
