"""Compares the live projections with a fresh replay, row by row and byte for byte, as of one moment.

It reads and never repairs: what differs is thrown away and folded anew by who finds it.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing

import msgspec

from consumers.audit.parts import Difference, Part, Row, Wishes, compare, compare_timers, parts_of
from consumers.audit.soundness import require_sound, rows_of
from schemas.events import Micros, TimerFired
from streams.domain.processor import Output
from streams.log.sqlite import SqliteEventLog
from streams.runtime.replay import Progress, events_from, new_file, replay
from streams.runtime.stage import FoldStage, Stage, StepError

_EVERYWHERE = 0
_FIRST = 1


class Agreement(msgspec.Struct, frozen=True):
    """The live projections are what the log makes of them: ``events`` folded, ``rows`` compared."""

    events: int
    rows: int


def check(log: SqliteEventLog, stages: Sequence[Stage], progress: Progress | None = None) -> Agreement | Difference:
    """Replay each stage up to its own live position and compare what it then holds with the live file.

    Raises LogCorruptError where the log or the file cannot be read, StepError where a fold raises.
    """
    with log.snapshot() as live, closing(new_file()) as replayed:
        upto = {stage.name: _position(live, stage.name) for stage in stages}
        (last,) = next(rows_of(live, "select coalesce(max(seq), 0) from log"))
        for stage, position in upto.items():
            if position > last + 1:
                return Difference(stage, "positions", "", str(position), f"at most {last + 1}")
        events = replay(log, stages, replayed, upto=upto, progress=progress).events
        rows = 0
        for each in stages:
            later = _later(log, each, upto[each.name]) if isinstance(each, FoldStage) else {}
            for part in parts_of(replayed, each):
                found = _compare(part, live, replayed, later)
                if isinstance(found, Difference):
                    return found
                rows += found
        return Agreement(events, rows)


def _compare(part: Part, live: sqlite3.Connection, replayed: sqlite3.Connection, later: Wishes) -> int | Difference:
    if _lacks(live, part):
        return 0  # the stage has never run here; what it would hold shows in its position
    require_sound(live, part.table)
    return compare_timers(part, live, replayed, later) if part.table == "timers" else compare(part, live, replayed)


def _later(log: SqliteEventLog, stage: FoldStage, position: int) -> Wishes:
    """Fold on to the end of the log and return what the stage wished of its timers on the way.

    A server saves them at once, so that it is woken, and the state they belong to may follow later.
    """
    found: dict[Row, set[Micros | None]] = defaultdict(set)
    for page, timer, due in _wishes(log, stage, position):
        found[page.encode(), timer.encode()].add(due)
    return found


def _wishes(log: SqliteEventLog, stage: FoldStage, position: int) -> Iterator[tuple[str, str, Micros | None]]:
    for event in events_from(log, stage, position):
        if isinstance(event.data, TimerFired):
            if event.data.processor != stage.name:
                continue
            yield event.page, event.data.timer, None
        out = Output(event)
        try:
            stage.processor.step(stage.tables, event, out)
        except Exception as error:  # as in the stage itself: whatever a fold raises is named with its event
            raise StepError(stage.name, event) from error
        for (page, timer), due in out.wakes.items():
            yield page, timer, due


def _lacks(live: sqlite3.Connection, part: Part) -> bool:
    tables = rows_of(live, "select 1 from sqlite_master where type = 'table' and name = ?", (part.table,))
    return part.owned and _position(live, part.stage) == _FIRST and next(tables, None) is None


def _position(connection: sqlite3.Connection, stage: str) -> int:
    statement = 'select position from positions where "group" = ? and place = ?'
    found: int
    (found,) = next(rows_of(connection, statement, (stage, _EVERYWHERE)), (_FIRST,))
    return found
