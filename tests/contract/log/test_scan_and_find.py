import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest

from streams.log.port import EventLog, Stored
from tests.contract.log.records import ALERTS, KEYS, bare, everything, expected, many, record, scanned
from tests.strategies.interleaving import by_place

URL_SAFE = re.compile(r"[A-Za-z0-9._~-]+")
MALFORMED = ["", " ", "x", "-1", "+1", " 0", "0 ", "1.5", "1e3", "0x1", "１", "1_0", "v1.", "v1.!", "v1.AA", "9" * 30]  # noqa: RUF001


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_a_scan_gives_everything_once_and_each_partition_in_order(log: EventLog, limit: int) -> None:
    log.append(many(30))
    found = scanned(log, limit)
    by_line = {place: [each for each in found if by_place(each) == place] for place in everything(log)}
    assert by_line == everything(log), "whole records, with offset and chain, as read gives them"


def test_a_scan_follows_the_time_of_arrival(log: EventLog) -> None:
    records = many(20)
    for each in records:
        log.append([each])
    assert [stored.record for stored in scanned(log, 6)] == records


def test_a_scan_of_an_empty_log_can_be_continued(log: EventLog) -> None:
    found, cursor = log.scan(None, 10)
    assert found == []
    assert URL_SAFE.fullmatch(cursor)
    log.append([record(1)])
    assert [each.record for each in log.scan(cursor, 10)[0]] == [record(1)]


def test_cursors_are_url_safe_and_stay_valid(log: EventLog) -> None:
    log.append(many(12))
    cursors: list[str | None] = [None]
    for _ in range(12):
        cursors.append(log.scan(cursors[-1], 1)[1])
    assert all(cursor and URL_SAFE.fullmatch(cursor) for cursor in cursors[1:])
    whole = scanned(log, 100)
    log.append([record(100 + number, KEYS[number % 3]) for number in range(6)])
    for rank, cursor in enumerate(cursors):
        assert scanned(log, 5, cursor)[: len(whole) - rank] == whole[rank:]


def test_a_scan_at_the_end_stays_there(log: EventLog) -> None:
    log.append(many(5))
    _, cursor = log.scan(None, 5)
    assert log.scan(cursor, 5) == ([], cursor)


@pytest.mark.parametrize("cursor", MALFORMED)
def test_a_malformed_cursor_is_a_value_error(log: EventLog, cursor: str) -> None:
    log.append(many(3))
    with pytest.raises(ValueError):
        log.scan(cursor, 10)


def test_a_damaged_cursor_is_refused_or_harmless(log: EventLog) -> None:
    log.append(many(30))
    _, cursor = log.scan(None, 13)
    for place in range(len(cursor)):
        damaged = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        try:
            log.scan(damaged, 5)
        except ValueError:
            continue


def test_a_scan_beside_appends_never_skips_or_repeats(log: EventLog) -> None:
    def append(worker: int) -> None:
        for number in range(30):
            log.append([record(worker * 100 + number, KEYS[(worker + number) % len(KEYS)])])

    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(append, worker) for worker in range(3)]
        found, cursor = log.scan(None, 4)
        while not all(writer.done() for writer in writers):
            batch, cursor = log.scan(cursor, 4)
            found += batch
        for writer in writers:
            writer.result()
    found += scanned(log, 50, cursor)
    assert _lines(found) == {place: each for place, each in everything(log).items() if each}
    assert len(found) == 90


def _lines(found: list[Stored]) -> dict[tuple[str, int], list[Stored]]:
    lines: dict[tuple[str, int], list[Stored]] = defaultdict(list)
    for stored in found:
        lines[stored.record.topic, stored.partition].append(stored)
    return lines


def test_find(log: EventLog) -> None:
    log.append(many(9))
    for stored in scanned(log, 100):
        assert log.find(stored.record.id) == stored
    assert log.find("0" * 32) is None
    assert bare(everything(log)) == expected(many(9)), "finding must not disturb reading"
    assert log.end(ALERTS) == {
        partition: (each[-1].offset + 1 if each else 0)
        for (topic, partition), each in everything(log).items()
        if topic == ALERTS
    }
