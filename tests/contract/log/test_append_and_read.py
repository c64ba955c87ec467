from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from schemas.topics import partition_of
from streams.log.port import Appended, EventLog, Record
from tests.contract.log.conftest import OpenLog
from tests.contract.log.engines import PARTITIONS
from tests.contract.log.records import ALERTS, KEYS, PAGES, bare, chained, everything, expected, line, many, record


def test_an_empty_log(log: EventLog) -> None:
    assert log.append([]) == []
    assert log.end(ALERTS) == dict.fromkeys(range(PARTITIONS[ALERTS]), 0)
    assert log.read(ALERTS, 0, 0, 10) == []


def test_partitions_are_the_declared_ones(log: EventLog) -> None:
    assert {topic: log.partitions(topic) for topic in PARTITIONS} == PARTITIONS


def test_records_come_back_whole_and_in_order(log: EventLog) -> None:
    records = many(30)
    log.append(records[:20])
    log.append(records[20:])
    assert bare(everything(log)) == expected(records)


def test_append_says_where_each_record_lies(log: EventLog) -> None:
    records = many(12)
    for each, appended in zip(records, log.append(records), strict=True):
        assert appended.partition == partition_of(each.key, PARTITIONS[each.topic])
        assert not appended.duplicate
        (stored,) = log.read(each.topic, appended.partition, appended.offset, 1)
        assert (stored.record, stored.offset, stored.partition) == (each, appended.offset, appended.partition)


def test_an_append_is_read_at_once(log: EventLog) -> None:
    for number in range(20):
        (appended,) = log.append([record(number)])
        assert line(log, ALERTS, appended.partition)[-1].record == record(number)


def test_offsets_grow_and_end_is_behind_the_last(log: EventLog) -> None:
    log.append(many(25))
    for (topic, partition), stored in everything(log).items():
        assert all(before.offset < after.offset for before, after in pairwise(stored))
        assert log.end(topic)[partition] == (stored[-1].offset + 1 if stored else 0)


def test_read_starts_at_or_after_and_stops_at_the_limit(log: EventLog) -> None:
    log.append([record(number) for number in range(10)])
    partition = partition_of(KEYS[0], PARTITIONS[ALERTS])
    whole = line(log, ALERTS, partition)
    assert log.read(ALERTS, partition, whole[4].offset, 3) == whole[4:7]
    assert log.read(ALERTS, partition, whole[3].offset + 1, 100) == whole[4:]
    assert log.read(ALERTS, partition, whole[-1].offset + 1, 100) == []
    assert log.read(ALERTS, partition, whole[-1].offset + 1_000, 100) == []
    assert log.read(ALERTS, partition, whole[0].offset, 0) == []
    assert log.read(ALERTS, partition, whole[2].offset, 2) == whole[2:4], "reading back must be possible"


def test_the_chain_of_each_partition(log: EventLog) -> None:
    records = many(40)
    log.append(records)
    for place, stored in everything(log).items():
        assert [each.chain for each in stored] == chained(expected(records)[place])


def test_the_chain_does_not_depend_on_where_reading_starts(log: EventLog) -> None:
    log.append([record(number) for number in range(10)])
    partition = partition_of(KEYS[0], PARTITIONS[ALERTS])
    links = chained([record(number) for number in range(10)])
    ends = log.end(ALERTS)[partition]
    first = log.read(ALERTS, partition, ends - 1, 1)
    assert [each.chain for each in first] == links[-1:]
    assert [each.chain for each in line(log, ALERTS, partition)] == links


def test_a_known_id_is_a_duplicate_and_writes_nothing(log: EventLog) -> None:
    (first,) = log.append([record(1)])
    other_body = record(1, body=b"changed")
    assert log.append([record(2), other_body])[1] == Appended(first.partition, first.offset, duplicate=True)
    assert [each.record for each in line(log, ALERTS, first.partition)] == [record(1), record(2)]


def test_a_duplicate_within_one_append(log: EventLog) -> None:
    first, again = log.append([record(1), record(1)])
    assert again == Appended(first.partition, first.offset, duplicate=True)
    assert len(line(log, ALERTS, first.partition)) == 1


def test_an_unknown_topic_is_a_key_error_everywhere(log: EventLog) -> None:
    for call in (
        lambda: log.partitions("tocsin.nothing"),
        lambda: log.read("tocsin.nothing", 0, 0, 1),
        lambda: log.end("tocsin.nothing"),
        lambda: log.append([record(1, topic="tocsin.nothing")]),
    ):
        with pytest.raises(KeyError):
            call()


def test_an_unknown_partition_is_a_key_error(log: EventLog) -> None:
    for partition in (-1, PARTITIONS[ALERTS]):
        with pytest.raises(KeyError):
            log.read(ALERTS, partition, 0, 1)


def test_append_is_all_or_none(log: EventLog) -> None:
    with pytest.raises(KeyError):
        log.append([record(1), record(2, topic="tocsin.nothing"), record(3)])
    assert not any(everything(log).values())
    log.append([record(1)])
    assert sum(map(len, everything(log).values())) == 1


def test_a_dead_letter_of_the_largest_size(log: EventLog) -> None:
    large = record(1, body=bytes(range(256)) * 4 * 1024 * 6)
    (appended,) = log.append([large])
    log.append([record(2)])
    assert [each.record for each in line(log, ALERTS, appended.partition)] == [large, record(2)]


def test_awkward_keys_and_bodies(log: EventLog) -> None:
    keys = ["", "ünï/cødé/🔔", "a\x00b", "x" * 500, "acme/prom/" + "9" * 40]
    records = [record(number, key, body=bytes([number]) * number) for number, key in enumerate(keys)]
    log.append(records)
    assert bare(everything(log)) == expected(records)


def test_records_older_than_others_and_of_the_future_are_taken(log: EventLog) -> None:
    times = [BASE_2020, 0, BASE_2020 * 3, 1]
    records = [
        Record(PAGES, "acme", f"{number:032x}", "PageDefined", at, bytes(8), b"x") for number, at in enumerate(times)
    ]
    log.append(records)
    assert bare(everything(log)) == expected(records)


BASE_2020 = 1_577_836_800_000_000


def test_concurrent_appenders_lose_nothing_and_keep_their_order(log: EventLog) -> None:
    def append(worker: int) -> list[Record]:
        mine = [record(worker * 1_000 + number, KEYS[number % 2]) for number in range(40)]
        for start in range(0, len(mine), 4):
            log.append(mine[start : start + 4])
        return mine

    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(append, range(4)))
    held = bare(everything(log))
    assert sorted(each.id for line_ in held.values() for each in line_) == sorted(
        each.id for mine in given for each in mine
    )
    for mine in given:
        ids = {each.id for each in mine}
        own = {place: [each for each in line_ if each.id in ids] for place, line_ in held.items()}
        assert own == expected(mine)


def test_reopening_keeps_everything(open_log: OpenLog) -> None:
    first = open_log()
    first.append(many(15))
    first.commit("readers", {(ALERTS, 1): 3})
    before, (_, cursor) = everything(first), first.scan(None, 7)
    first.close()
    second = open_log()
    assert everything(second) == before
    assert second.positions("readers") == {(ALERTS, 1): 3}
    second.append(many(20)[15:])
    assert bare(everything(second)) == expected(many(20))
    assert len(second.scan(cursor, 100)[0]) == 13
