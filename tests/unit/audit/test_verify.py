"""A log that was tampered with does not verify, whichever column was changed; a head tells what its chain cannot."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from consumers.audit.stages import processors
from consumers.audit.verify import Noted, Verified, noted, verify
from streams.log.chain import GENESIS, head, link
from streams.log.ids import hash_of
from streams.log.port import LogCorruptError
from streams.log.sqlite import FILE_NAME, SqliteEventLog

Change = Callable[..., None]
Reopen = Callable[[], SqliteEventLog]
MIDDLE = "(select max(seq) / 2 from log)"
LAST = "(select max(seq) from log)"
OTHER_SCHEMA = "(select fingerprint from log where type = 'EpisodeClosed' limit 1)"

TAMPERING = {
    "seq": f"update log set seq = seq + 1000 where seq = {LAST}",
    "place": f"update log set place = (place / 4096) * 4096 + (place + 1) % 8 where seq = {MIDDLE}",
    "place of no topic": f"update log set place = place + 4096 * 99 where seq = {MIDDLE}",
    "place of no partition": f"update log set place = (place / 4096) * 4096 + 99 where seq = {MIDDLE}",
    "key": f"update log set key = key || 'x' where seq = {MIDDLE}",
    "key, not text": f"update log set key = cast(x'ff' as text) where seq = {MIDDLE}",
    "id": f"update log set id = upper(id) || '0' where seq = {MIDDLE}",
    "id, not text": f"update log set id = cast(x'ff' as text) where seq = {MIDDLE}",
    "type": f"update log set type = 'PageDefined' where seq = {MIDDLE}",
    "recorded_at": f"update log set recorded_at = recorded_at + 1 where seq = {MIDDLE}",
    "fingerprint of another": f"update log set fingerprint = {OTHER_SCHEMA} where seq = {MIDDLE}",
    "fingerprint of none": f"update log set fingerprint = x'0000000000000000' where seq = {MIDDLE}",
    "body": f"update log set body = cast(body || x'00' as blob) where seq = {MIDDLE}",
    "empty body": f"update log set body = x'' where seq = {MIDDLE}",
    "chain": f"update log set chain = zeroblob(32) where seq = {MIDDLE}",
    "chain at the end": f"update log set chain = zeroblob(32) where seq = {LAST}",
    "a removed record": f"delete from log where seq = {MIDDLE}",
    "the first removed": "delete from log where seq = 1",
    "the end cut off": f"delete from log where seq = {LAST}",
    "everything cut off": "delete from log",
    "a topic's name": "update topics set name = 'tocsin.other' where name = 'tocsin.pages'",
    "a topic's name, not text": "update topics set name = cast(x'ff' as text) where name = 'tocsin.deadletters'",
    "a topic's partitions": "update topics set partitions = 1 where name = 'tocsin.alerts'",
    "a topic's number": "update topics set number = number + 100 where name = 'tocsin.pages'",
    "two topics exchanged": "update topics set number = 100 - number",
    "a head": "update heads set seq = seq - 1 where place = (select max(place) from heads)",
    "a head's place": "update heads set place = place + 1 where place = (select max(place) from heads)",
    "a removed head": "delete from heads where place = (select max(place) from heads)",
    "a position": "update positions set position = position + 1",
}


def test_a_sound_log_verifies(log: SqliteEventLog) -> None:
    found = verify(log, processors())
    ((count, last),) = log.query("select count(*), max(seq) from log")
    assert (found.events, found.offset) == (count, last)
    assert found.partitions > len({"alerts", "pages", "subscriptions", "notifications", "deliveries", "deadletters"})


@pytest.mark.parametrize("statement", TAMPERING.values(), ids=TAMPERING)
def test_whatever_is_changed_is_found(statement: str, change: Change, reopened: Reopen) -> None:
    change(statement)
    with pytest.raises((LogCorruptError, sqlite3.DatabaseError)):
        verify(reopened(), processors())


def test_every_byte_of_every_body_counts(log: SqliteEventLog, change: Change, reopened: Reopen) -> None:
    for seq, body in log.query("select seq, body from log where seq % 7 = 3"):
        for at in range(0, len(body), 11):
            changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
            change("update log set body = ? where seq = ?", (changed, seq))
            with pytest.raises(LogCorruptError, match=rf"@{seq}: the chain breaks"):
                verify(reopened(), processors())
        change("update log set body = ? where seq = ?", (body, seq))
    verify(reopened(), processors())


def test_the_message_names_the_place(change: Change, reopened: Reopen) -> None:
    change("update log set chain = zeroblob(32) where seq = 1")
    with pytest.raises(LogCorruptError, match=r"^tocsin\.pages\[\d\]@1: "):
        verify(reopened(), processors())


def test_an_index_that_is_partly_written_verifies(log: SqliteEventLog, change: Change, reopened: Reopen) -> None:
    fill_ids(log, change, upto=40)
    change("insert into ids (hash, seq) values (1, 90)")
    assert verify(reopened(), processors()).events == verify(log, processors()).events


@pytest.mark.parametrize(
    "statement",
    [
        "delete from ids where seq = 17",
        "update ids set hash = hash + 1 where seq = 17",
        "update ids set seq = 1000 where seq = 17",
        "update indexed set upto = upto + 1",
        "insert into ids (hash, seq) select hash, 18 from ids where seq = 17",
    ],
)
def test_a_wrong_index_is_found(statement: str, log: SqliteEventLog, change: Change, reopened: Reopen) -> None:
    fill_ids(log, change, upto=40)
    change(statement)
    with pytest.raises(LogCorruptError):
        verify(reopened(), processors())


def fill_ids(log: SqliteEventLog, change: Change, upto: int) -> None:
    for identifier, seq in log.query("select id, seq from log where seq <= ?", (upto,)):
        change("insert into ids (hash, seq) values (?, ?)", (hash_of(identifier), seq))
    change("update indexed set upto = ?", (upto,))


# --- heads ---


def rewrite(copy: Path, seq: int, body: bytes) -> None:
    """Change a body and make every link after it anew, as somebody would who knows how."""
    with closing(sqlite3.connect(copy / FILE_NAME)) as connection, connection:
        connection.execute("update log set body = ? where seq = ?", (body, seq))
        last: dict[int, bytes] = {}
        for at, place, fingerprint, changed in connection.execute(
            "select seq, place, fingerprint, body from log order by seq"
        ).fetchall():
            last[place] = link(last.get(place, GENESIS), fingerprint, changed)
            connection.execute("update log set chain = ? where seq = ?", (last[place], at))


def head_as_of(log: SqliteEventLog, offset: int) -> Noted:
    links = {(stored.record.topic, stored.partition): stored.chain for stored in log.read_all(0, offset)}
    return Noted(offset, head(links))


def test_a_rewritten_chain_is_found_by_a_noted_head(log: SqliteEventLog, copy: Path, reopened: Reopen) -> None:
    before = verify(log, processors())
    ((seq, body),) = log.query("select seq, body from log where type = 'IncidentOpened' order by seq limit 1")
    rewrite(copy, seq, body.replace(b"API errors", b"Sunny day!"))
    assert verify(reopened(), processors()).events == before.events
    for known in (noted(before.head), noted(before.hash), head_as_of(log, seq)):
        with pytest.raises(LogCorruptError):
            verify(reopened(), processors(), known_head=known)
    verify(reopened(), processors(), known_head=head_as_of(log, seq - 1))


def test_a_head_of_any_time_still_holds(log: SqliteEventLog) -> None:
    last = verify(log, processors()).offset
    for offset in (0, 1, last // 2, last):
        known = head_as_of(log, offset)
        for form in (known, Noted(None, known.hash)):
            assert isinstance(verify(log, processors(), known_head=form), Verified)


def test_a_cut_off_end_is_found_by_a_noted_head(log: SqliteEventLog, change: Change, reopened: Reopen) -> None:
    before = verify(log, processors())
    change("delete from positions")
    change(f"delete from log where seq = {LAST}")
    change("delete from heads where seq not in (select seq from log)")
    change("insert or replace into heads select place, max(seq) from log group by place")
    assert verify(reopened(), processors()).events == before.events - 1
    with pytest.raises(LogCorruptError, match="were cut off"):
        verify(reopened(), processors(), known_head=noted(before.head))
    with pytest.raises(LogCorruptError, match="at no offset"):
        verify(reopened(), processors(), known_head=noted(before.hash))


def test_the_head_of_nothing() -> None:
    assert head({}) == sha256().hexdigest()


@pytest.mark.parametrize("text", ["", "1-", "x", "1-abc", "-" + "0" * 64, "0" * 63, "1 " + "0" * 64, "٣-" + "0" * 64])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a head is"):
        noted(text)
