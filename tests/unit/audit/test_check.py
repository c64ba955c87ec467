"""A projection that was tampered with differs from a replay, whichever column of whichever table was changed."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.audit.check import Agreement, check
from consumers.audit.parts import Difference
from consumers.audit.stages import replay_stages
from streams.log.port import LogCorruptError
from streams.log.sqlite import FILE_NAME, SqliteEventLog
from streams.runtime.replay import new_file, replay
from streams.runtime.stage import FoldStage
from tests.builders.history import ADDRESS

Change = Callable[..., None]
Reopen = Callable[[], SqliteEventLog]
COLUMNS = {
    "state": ("stage", "tbl", "page", "key", "value"),
    "timers": ("stage", "page", "timer", "due"),
    "notices": ("update_id", "page", "subject", "kind", "at", "notice"),
    "updates": ("subject", "update_id"),
    "ledger": (
        "seq", "notification", "page", "subject", "update_id", "subscriber", "channel", "shard", "state", "reason",
        "worker", "attempts", "at", "due", "turn", "held_until",
    ),
}  # fmt: skip
CELLS = [(table, column) for table, columns in COLUMNS.items() for column in columns]
FOLDED = [
    (stage.name, spec.name)
    for stage in replay_stages()
    if isinstance(stage, FoldStage)
    for spec in stage.processor.tables
]
EMPTY_IN_THE_HISTORY = {("pages", "held")}


def tampered(value: Any, by: int) -> Any:
    match value:
        case int():
            return value + 1_000 + by
        case str():
            return value[: by % (len(value) + 1)] + "~" + value[by % (len(value) + 1) :]
        case bytes():
            at = by % len(value)
            return value[:at] + bytes([value[at] ^ (1 << by % 8)]) + value[at + 1 :]
        case _:
            return by


def test_the_columns_are_those_of_the_file(log: SqliteEventLog) -> None:
    for table, columns in COLUMNS.items():
        assert columns == tuple(row[1] for row in log.query(f"pragma table_info({table})"))


def test_live_agrees_with_a_replay(log: SqliteEventLog) -> None:
    found = check(log, replay_stages())
    ((events,),) = log.query("select count(*) from log")
    rows = sum(log.query(f"select count(*) from {table}")[0][0] for table in COLUMNS)
    assert found == Agreement(events, rows)


@pytest.mark.parametrize(("table", "column"), CELLS)
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_value_is_found(table: str, column: str, written: Path, copy: Path, data: st.DataObject) -> None:
    (copy / FILE_NAME).write_bytes((written / FILE_NAME).read_bytes())
    with closing(sqlite3.connect(copy / FILE_NAME)) as connection, connection:
        rows = connection.execute(f"select * from {table}").fetchall()
        names = COLUMNS[table]
        row = data.draw(st.sampled_from(rows))
        value = tampered(row[names.index(column)], data.draw(st.integers(0, 60)))
        where = " and ".join(f"{name} is ?" for name in names)
        assert connection.execute(f"update {table} set {column} = ? where {where}", (value, *row)).rowcount == 1
    with closing(SqliteEventLog(copy, read_only=True)) as log:
        assert isinstance(check(log, replay_stages()), Difference)


@pytest.mark.parametrize(("stage", "table"), FOLDED)
def test_every_table_of_every_fold_is_compared(stage: str, table: str, change: Change, reopened: Reopen) -> None:
    if (stage, table) in EMPTY_IN_THE_HISTORY:
        change("insert into state values (?, ?, 'acme', 'key', x'31')", (stage, table))
    else:
        change("delete from state where stage = ? and tbl = ?", (stage, table))
    found = check(reopened(), replay_stages())
    assert isinstance(found, Difference)
    assert found.key.startswith(f"{table}/")


@pytest.mark.parametrize(
    "statement",
    [
        "update state set value = x'ff00' where tbl = 'incidents'",
        "update state set value = x'' where tbl = 'settings'",
        "update state set key = cast(x'ff' as text) where tbl = 'changed'",
        "update timers set page = cast(x'fffe' as text)",
        "insert into state values ('status', cast(x'ff' as text), 'acme', '', x'00')",
        "update ledger set reason = cast(x'ff' as text)",
        "delete from ledger",
        "delete from positions where \"group\" = 'status'",
        "update positions set position = position + 1",
        "update positions set position = 2",
    ],
)
def test_what_cannot_be_read_is_a_difference(statement: str, change: Change, reopened: Reopen) -> None:
    change(statement)
    assert isinstance(check(reopened(), replay_stages()), Difference)


def test_a_difference_shows_the_fields_that_differ(log: SqliteEventLog, change: Change, reopened: Reopen) -> None:
    ((value,),) = log.query("select value from state where stage = 'status' and tbl = 'incidents' and key = 'byhand'")
    other = msgspec.json.encode(msgspec.json.decode(value) | {"title": "Login is fast"})
    change("update state set value = ? where stage = 'status' and key = 'byhand'", (other,))
    expected = Difference(
        "status", "state", "incidents/acme/byhand", '{"title":"Login is fast"}', '{"title":"Login is slow"}'
    )
    assert check(reopened(), replay_stages()) == expected


def test_a_difference_never_shows_an_address(change: Change, reopened: Reopen) -> None:
    change("delete from state where tbl = 'subscribers'")
    found = check(reopened(), replay_stages())
    assert isinstance(found, Difference)
    assert found.replayed is not None
    assert '"address":"sealed"' in found.replayed
    assert ADDRESS.decode() not in found.replayed


def put_back(folder: Path, log: SqliteEventLog, upto: dict[str, int], tables: Iterable[str]) -> None:
    """Bring the stages in the folder back to where they were ``upto``, but only in some ``tables``."""
    with closing(new_file()) as replayed, closing(sqlite3.connect(folder / FILE_NAME)) as connection, connection:
        replay(log, replay_stages(), replayed, upto=upto)
        for table in tables:
            connection.execute(f"delete from {table}")
            for row in replayed.execute(f"select * from {table}"):
                connection.execute(f"insert into {table} values ({','.join('?' * len(row))})", row)
        for name, position in upto.items():
            connection.execute('update positions set position = ? where "group" = ?', (position, name))


def test_stages_may_stand_at_different_positions(log: SqliteEventLog, copy: Path, reopened: Reopen) -> None:
    ((last,),) = log.query("select max(seq) from log")
    behind = {stage.name: last * (number + 1) // 7 for number, stage in enumerate(replay_stages())}
    put_back(copy, log, behind, COLUMNS)
    assert isinstance(check(reopened(), replay_stages()), Agreement)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_timers_may_be_ahead_of_their_stage(
    log: SqliteEventLog, copy: Path, change: Change, reopened: Reopen, share: float
) -> None:
    ((last,),) = log.query("select max(seq) from log")
    behind = {stage.name: int(last * share) for stage in replay_stages()}
    put_back(copy, log, behind, [table for table in COLUMNS if table != "timers"])
    assert isinstance(check(reopened(), replay_stages()), Agreement)
    change("update timers set due = due + 1 where timer = 'promise:byhand'")
    assert isinstance(check(reopened(), replay_stages()), Difference)


def test_a_log_that_cannot_be_decoded_is_corrupt(change: Change, reopened: Reopen) -> None:
    change("update log set body = x'00' where type = 'IncidentOpened'")
    with pytest.raises(LogCorruptError, match=r"tocsin\.pages\[\d\]@\d+: not a IncidentOpened"):
        check(reopened(), replay_stages())


def test_a_folder_on_which_no_server_ran_agrees(tmp_path: Path) -> None:
    with closing(SqliteEventLog(tmp_path)):
        pass
    with closing(SqliteEventLog(tmp_path, read_only=True)) as empty:
        assert check(empty, replay_stages()) == Agreement(0, 0)
