"""The write-behind index of ids against the reference: no history of appends, refusals and restarts tells them apart."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.log import ids
from streams.log.memory import MemoryEventLog
from streams.log.port import Record
from streams.log.sqlite import SqliteEventLog
from tests.contract.log.engines import PARTITIONS
from tests.contract.log.records import KEYS, record

IDS = 60
BATCHES = st.lists(st.integers(0, IDS - 1), max_size=6)
ACTIONS = st.sampled_from(["append", "append", "append", "refuse", "reopen"])


class RefusedError(Exception):
    """What a job raises that is to be rolled back."""


def refuse(log: SqliteEventLog, records: Sequence[Record]) -> None:
    def job(connection: sqlite3.Connection) -> None:
        log.append_within(connection, records)
        raise RefusedError

    with pytest.raises(RefusedError):
        log.submit(job).result()


def outcome(log: SqliteEventLog | MemoryEventLog, records: Sequence[Record]) -> list[bool]:
    return [answer.duplicate for answer in log.append(records)]


@settings(max_examples=40)
@given(st.lists(st.tuples(ACTIONS, BATCHES), max_size=30))
def test_every_id_is_known_once_it_is_durable(history: list[tuple[str, list[int]]]) -> None:
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(ids, "GENERATION", 5)
        reference, log = MemoryEventLog(PARTITIONS), SqliteEventLog(Path(folder), PARTITIONS)
        for action, numbers in history:
            records = [record(number, KEYS[number % len(KEYS)]) for number in numbers]
            if action == "append":
                assert outcome(log, records) == outcome(reference, records)
            elif action == "refuse":
                refuse(log, records)
            else:
                log.close()
                log = SqliteEventLog(Path(folder), PARTITIONS)
        with_reader = SqliteEventLog(Path(folder), PARTITIONS, read_only=True)
        for each in map(record, range(IDS)):
            known = reference.find(each.id)
            for engine in (log, with_reader):
                found = engine.find(each.id)
                assert (found and (found.record, found.chain)) == (known and (known.record, known.chain))
        with_reader.close()
        log.close()


def test_ids_of_equal_hash_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "GENERATION", 5)
    monkeypatch.setattr(ids, "hash_of", lambda identifier: 7)
    log = SqliteEventLog(tmp_path, PARTITIONS)
    records = [record(number) for number in range(40)]
    for each in records:
        log.append([each])
    assert all(answer.duplicate for answer in log.append(records))
    assert [stored and stored.record for stored in map(log.find, (each.id for each in records))] == records
    assert not log.append([record(41)])[0].duplicate
    log.close()


def test_a_table_of_another_way_of_hashing_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "GENERATION", 5)
    log = SqliteEventLog(tmp_path, PARTITIONS)
    records = [record(number) for number in range(40)]
    for each in records:
        log.append([each])
    log.submit(lambda connection: connection.execute("update ids set hash = -hash - 1")).result()
    log.submit(lambda connection: connection.execute("pragma user_version = 0")).result()
    log.close()
    log = SqliteEventLog(tmp_path, PARTITIONS)
    assert all(answer.duplicate for answer in log.append(records))
    log.close()


@given(st.one_of(st.text(max_size=40), st.text("0123456789abcdef-+_ ", max_size=40)))
def test_every_id_has_a_hash_that_the_table_can_hold(identifier: str) -> None:
    assert -(1 << 63) <= ids.hash_of(identifier) < 1 << 63
