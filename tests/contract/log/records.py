"""Records for the log's suite, and what any log must hold to after it was given some."""

from collections.abc import Sequence

from schemas.ids import derive
from schemas.topics import partition_of
from streams.log.chain import GENESIS, link
from streams.log.port import EventLog, Record, Stored
from tests.contract.log.engines import PARTITIONS

ALERTS, PAGES = PARTITIONS
KEYS = ("acme/prom/a", "acme/prom/b", "acme/ping/c", "globex/prom/d", "globex/prom/e")
BASE = 1_790_000_000_000_001
"""Microseconds: not a whole millisecond, so that an engine that rounds is caught."""


def record(number: int, key: str = KEYS[0], topic: str = ALERTS, body: bytes | None = None) -> Record:
    fingerprint = derive("schema", str(number % 3))[:16]
    text = f"body {number}".encode() if body is None else body
    identifier = derive("record", str(number))
    return Record(topic, key, identifier, "AlertReceived", BASE + number, bytes.fromhex(fingerprint), text)


def many(count: int) -> list[Record]:
    """Records over both topics and all keys."""
    return [record(number, KEYS[number % len(KEYS)], (ALERTS, PAGES)[number % 2]) for number in range(count)]


def line(log: EventLog, topic: str, partition: int) -> list[Stored]:
    """All that a partition holds, read in small steps."""
    found: list[Stored] = []
    start = 0
    while batch := log.read(topic, partition, start, 3):
        found += batch
        start = batch[-1].offset + 1
    return found


def everything(log: EventLog) -> dict[tuple[str, int], list[Stored]]:
    return {
        (topic, partition): line(log, topic, partition)
        for topic, count in PARTITIONS.items()
        for partition in range(count)
    }


def expected(records: Sequence[Record]) -> dict[tuple[str, int], list[Record]]:
    """What each partition must hold, and in which order, after ``records`` were appended one after the other."""
    lines: dict[tuple[str, int], list[Record]] = {
        (topic, partition): [] for topic, count in PARTITIONS.items() for partition in range(count)
    }
    for each in records:
        lines[each.topic, partition_of(each.key, PARTITIONS[each.topic])].append(each)
    return lines


def bare(lines: dict[tuple[str, int], list[Stored]]) -> dict[tuple[str, int], list[Record]]:
    return {place: [stored.record for stored in each] for place, each in lines.items()}


def chained(records: Sequence[Record]) -> list[bytes]:
    """The chain of a partition, computed anew."""
    links, last = [], GENESIS
    for each in records:
        last = link(last, each.fingerprint, each.body)
        links.append(last)
    return links


def scanned(log: EventLog, limit: int, cursor: str | None = None) -> list[Stored]:
    """All that a scan gives from ``cursor`` on, in steps of ``limit``."""
    found: list[Stored] = []
    while True:
        batch, cursor = log.scan(cursor, limit)
        if not batch:
            return found
        found += batch
