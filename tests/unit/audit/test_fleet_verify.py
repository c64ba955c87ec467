"""The walk over a log that is split over servers: what a head says, and what of a record must agree."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from consumers.audit.fleet_verify import noted, verify
from consumers.audit.stages import processors
from consumers.audit.verify import verify as verify_folder
from streams.log.memory import MemoryEventLog
from streams.log.port import LogCorruptError, Record
from streams.log.sqlite import SqliteEventLog

Changed = Callable[[Record], Record]


@pytest.fixture
def split(log: SqliteEventLog) -> MemoryEventLog:
    """The history on a log that has no single order."""
    found = MemoryEventLog()
    found.append([stored.record for stored in log.read_all(0, 10_000)])
    return found


def test_a_sound_log_verifies(split: MemoryEventLog, log: SqliteEventLog) -> None:
    found, folder = verify(split, processors()), verify_folder(log, processors())
    assert (found.events, found.partitions) == (folder.events, folder.partitions)


def test_a_log_that_has_grown_still_has_every_head(log: SqliteEventLog) -> None:
    records = [stored.record for stored in log.read_all(0, 10_000)]
    growing = MemoryEventLog()
    heads = []
    for record in records:
        growing.append([record])
        heads.append(verify(growing, processors()).head)
    assert len(set(heads)) == len([one for one in records if one.topic != "tocsin.deadletters"])
    for head in heads:
        verify(growing, processors(), known_head=noted(head))


def test_a_log_that_was_cut_off_has_not(log: SqliteEventLog, split: MemoryEventLog) -> None:
    head = verify(split, processors()).head
    records = [stored.record for stored in log.read_all(0, 10_000)]
    shorter = MemoryEventLog()
    shorter.append(records[:-30])
    with pytest.raises(LogCorruptError, match="records were cut off"):
        verify(shorter, processors(), known_head=noted(head))


def test_a_log_in_which_two_records_changed_places_has_not(log: SqliteEventLog, split: MemoryEventLog) -> None:
    head = verify(split, processors()).head
    records = [stored.record for stored in log.read_all(0, 10_000)]
    pages = [number for number, one in enumerate(records) if one.topic == "tocsin.pages"]
    one, other = pages[3], pages[4]
    records[one], records[other] = records[other], records[one]
    changed = MemoryEventLog()
    changed.append(records)
    verify(changed, processors())
    with pytest.raises(LogCorruptError, match="was noted"):
        verify(changed, processors(), known_head=noted(head))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda one: replace(one, id="0" * 32), "the column id", id="id"),
        pytest.param(lambda one: replace(one, type="Other"), "the column type", id="type"),
        pytest.param(lambda one: replace(one, recorded_at=0), "the column recorded_at", id="recorded_at"),
        pytest.param(lambda one: replace(one, key="other"), "belongs under", id="key"),
        pytest.param(lambda one: replace(one, topic="tocsin.alerts"), "belongs under", id="topic"),
        pytest.param(lambda one: replace(one, body=one.body + b"x"), r"tocsin.pages\[\d\]@0", id="body"),
        pytest.param(lambda one: replace(one, fingerprint=bytes(8)), r"tocsin.pages\[\d\]@0", id="fingerprint"),
    ],
)
def test_a_record_that_contradicts_itself_is_named(log: SqliteEventLog, change: Changed, said: str) -> None:
    records = [stored.record for stored in log.read_all(0, 10_000)]
    at = next(number for number, one in enumerate(records) if one.type == "PageDefined")
    records[at] = change(records[at])
    changed = MemoryEventLog()
    changed.append(records)
    with pytest.raises(LogCorruptError, match=said):
        verify(changed, processors())


@pytest.mark.parametrize("text", ["", "12-" + "0" * 64, "v1.", "0" * 63, "v1.!-" + "0" * 64])
def test_what_is_no_head(text: str) -> None:
    with pytest.raises(ValueError, match="a head of this engine"):
        noted(text)


def test_a_head_of_other_partitions(split: MemoryEventLog) -> None:
    with pytest.raises(ValueError, match="cursor"):
        verify(split, processors(), known_head=noted("v1.AAAA-" + "0" * 64))
