"""Folds do not depend on how a history is cut into batches, nor on the order between keys; replays repeat themselves."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.audit.stages import replay_stages
from schemas.events import AnyEvent
from streams.log.container import export_log, import_log
from streams.log.port import Stored, event_of
from streams.log.sqlite import SqliteEventLog
from streams.runtime.replay import new_file, replay
from streams.runtime.stage import FoldStage, Stage
from tests.strategies.interleaving import by_place, interleavings

TABLES = {"state": "stage, tbl, page, key", "timers": "stage, page, timer", "notices": "update_id", "ledger": "seq"}
FOLDS = [stage.name for stage in replay_stages() if isinstance(stage, FoldStage)]
STAGES = [stage.name for stage in replay_stages()]


def stage_named(name: str) -> Stage:
    return next(stage for stage in replay_stages() if stage.name == name)


def rows(connection: sqlite3.Connection) -> dict[str, list[Any]]:
    known = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
    return {
        table: connection.execute(f"select * from {table} order by {keys}").fetchall()
        for table, keys in TABLES.items()
        if table in known
    }


@contextmanager
def new() -> Iterator[sqlite3.Connection]:
    with closing(new_file()) as connection:
        yield connection


def folded(stage: Stage, history: Sequence[Stored], cuts: Sequence[int]) -> dict[str, list[Any]]:
    """What ``stage`` has written after ``history`` in batches that end at ``cuts``, each saved and loaded again."""
    wanted = [each for each in history if each.record.type in stage.types and each.record.topic in stage.topics]
    events: list[AnyEvent] = [event_of(each.record) for each in wanted]
    with new() as connection:
        stage.load(connection)
        start = 0
        for end in [*sorted({cut % (len(events) + 1) for cut in cuts}), len(events)]:
            stage.run(connection, events[start:end])
            stage.save(connection)
            stage.committed()
            stage.load(connection)
            start = end
        return rows(connection)


def records(log: SqliteEventLog) -> list[Stored]:
    return log.read_all(0, 10_000)


@pytest.fixture(scope="module")
def history(written: Path) -> list[Stored]:
    with closing(SqliteEventLog(written, read_only=True)) as log:
        return records(log)


@pytest.mark.parametrize("name", STAGES)
@settings(max_examples=12)
@given(cuts=st.lists(st.integers(0, 200), max_size=8))
def test_any_split_into_batches_gives_the_same_rows(name: str, history: list[Stored], cuts: list[int]) -> None:
    assert folded(stage_named(name), history, cuts) == folded(stage_named(name), history, [])


@pytest.mark.parametrize(
    "name", FOLDS
)  # the ledger reads two topics in the order of one log: the embedded engine's own
@settings(max_examples=15)
@given(data=st.data())
def test_any_order_between_partitions_gives_the_same_rows(
    name: str, history: list[Stored], data: st.DataObject
) -> None:
    stage = stage_named(name)
    wanted = [each for each in history if each.record.type in stage.types and each.record.topic in stage.topics]
    order = data.draw(interleavings(wanted, by_place))
    cuts = data.draw(st.lists(st.integers(0, 200), max_size=4))
    assert folded(stage_named(name), order, cuts) == folded(stage_named(name), history, [])


def test_a_replay_gives_what_lies_in_the_file(log: SqliteEventLog) -> None:
    with new() as connection, log.snapshot() as live:
        replay(log, replay_stages(), connection)
        assert rows(connection) == rows(live)


def test_a_replay_of_what_a_replay_read_is_the_same(log: SqliteEventLog, tmp_path: Path) -> None:
    file = tmp_path / "log.avro"
    with file.open("wb") as out:
        export_log(log, out)
    with closing(SqliteEventLog(tmp_path / "other")) as other, file.open("rb") as source:
        import_log(other, source)
        with new() as first, new() as second, new() as third:
            replay(log, replay_stages(), first)
            replay(log, replay_stages(), second)
            replay(other, replay_stages(), third)
            assert rows(first) == rows(second) == rows(third)


def test_a_replay_up_to_a_moment_counts_what_was_recorded_by_then(log: SqliteEventLog) -> None:
    times = sorted(stored.record.recorded_at for stored in records(log))
    for until in (times[0] - 1, times[0], times[len(times) // 2], times[-1]):
        with new() as connection:
            done = replay(log, replay_stages(), connection, until=until)
        assert done.events == sum(at <= until for at in times)
