"""A log on its way into another engine: whatever dies on the way, all of it arrives, in order, and nothing else."""

import random
from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.topics import TOPICS, partition_of
from streams.log.chain import GENESIS
from streams.log.memory import MemoryEventLog
from streams.log.origin import imported, parse
from streams.log.port import Appended, LogCorruptError, LogUnavailableError, Record, Stored, TopicPartition
from streams.log.transfer import Transfer, TransferError

DAY = 24 * 3600 * 1_000_000
NOW = 20_000 * DAY
DEADLETTERS = "tocsin.deadletters"


def record(number: int, topic: str, *, age: int = 0) -> Record:
    body = sha256(str(number).encode()).digest()
    return Record(topic, f"acme/{number % 13}", f"{number:032x}", "Any", NOW - age, b"8 bytes!", body)


class Target(MemoryEventLog):
    """Keeps what comes, whatever its id, as Kafka does; ``breaks`` makes an append fail with a part of it stored."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[TopicPartition, list[Stored]] = defaultdict(list)
        self.breaks: random.Random | None = None
        self.first: dict[TopicPartition, int] = defaultdict(int)

    def append(self, records: Sequence[Record]) -> list[Appended]:
        by_place: dict[TopicPartition, list[Record]] = defaultdict(list)
        for each in records:
            by_place[each.topic, partition_of(each.key, self.partitions(each.topic))].append(each)
        failing = self.breaks is not None and self.breaks.random() < 0.5
        for place, some in by_place.items():
            cut = len(some) if self.breaks is None or not failing else self.breaks.randint(0, len(some))
            self.store(place, some[:cut])
        if failing:
            raise LogUnavailableError("the broker went away")
        return []

    def store(self, place: TopicPartition, records: Sequence[Record]) -> None:
        for each in records:
            self.lines[place].append(Stored(each, place[1], len(self.lines[place]), GENESIS))

    def read(self, topic: str, partition: int, start: int, limit: int) -> list[Stored]:
        first = max(start, self.first[topic, partition])
        return self.lines[topic, partition][first : first + limit]

    def end(self, topic: str) -> dict[int, int]:
        return {partition: len(self.lines[topic, partition]) for partition in range(self.partitions(topic))}


def filled(count: int, *, ages: Sequence[int] = (0,)) -> MemoryEventLog:
    source = MemoryEventLog()
    source.append([record(number, TOPICS[number % 6].name, age=ages[number % len(ages)]) for number in range(count)])
    return source


def moved(source: MemoryEventLog, target: Target) -> Transfer:
    transfer = Transfer(source, target, lambda: NOW)
    while True:
        try:
            transfer.carry(transfer.standing(), lambda _: None)
        except LogUnavailableError:
            continue
        return transfer


def without_origin(stored: Stored) -> Record:
    return replace(stored.record, origin="")


def _behind(stored: Stored) -> int:
    origin = parse(stored.record.origin)
    assert origin is not None
    return origin.offset + 1


def lines_of(source: MemoryEventLog) -> dict[TopicPartition, list[Record]]:
    found = defaultdict(list)
    for stored in source.scan(None, 100_000)[0]:
        found[stored.record.topic, stored.partition].append(stored.record)
    return found


@given(st.integers(0, 6_000), st.integers())
def test_whatever_breaks_on_the_way_everything_arrives_once_and_in_order(count: int, seed: int) -> None:
    source, target = filled(count), Target()
    target.breaks = random.Random(seed)
    found = moved(source, target).verify(lambda _: None)
    assert {place: [without_origin(each) for each in line] for place, line in target.lines.items() if line} == lines_of(
        source
    )
    assert sum(each.records for each in found.values()) == count
    assert not any(each.repeated or each.expired for each in found.values())
    last = {(s.record.topic, s.partition): s.chain.hex() for s in source.scan(None, 100_000)[0]}
    assert {place: each.hash for place, each in found.items()} == last, "the source's own chain ends as the target's"


def test_what_arrives_late_and_twice_is_passed_over() -> None:
    source, target = filled(3_000), Target()
    transfer = moved(source, target)
    late = {place: line[-30:] for place, line in target.lines.items()}
    for place, line in late.items():
        target.store(place, [stored.record for stored in line])
    standing = transfer.standing()
    assert {place: standing[place] for place in late} == {place: _behind(line[-1]) for place, line in late.items()}
    assert moved(source, target) is not None
    found = transfer.verify(lambda _: None)
    assert sum(each.records for each in found.values()) == 3_000
    assert sum(each.repeated for each in found.values()) == 30 * len(late)


def test_a_source_that_grew_since_is_carried_on() -> None:
    source, target = filled(500), Target()
    moved(source, target)
    source.append([record(number, TOPICS[number % 6].name) for number in range(500, 700)])
    found = moved(source, target).verify(lambda _: None)
    assert sum(each.records for each in found.values()) == 700


def test_dead_letters_that_would_expire_at_once_stay_behind() -> None:
    source, target = filled(600, ages=(0, 29 * DAY, 40 * DAY, 400 * DAY, 0, 31 * DAY, 7)), Target()
    transfer = moved(source, target)
    letters = [stored.record for line in target.lines.values() for stored in line if stored.record.topic == DEADLETTERS]
    assert letters
    assert all(each.recorded_at > NOW - 30 * DAY for each in letters)
    found = transfer.verify(lambda _: None)
    assert sum(each.expired for each in found.values()) == 100 - len(letters)
    assert sum(each.records for each in found.values()) == 500 + len(letters)


def test_dead_letters_that_expire_on_the_way_are_not_missed() -> None:
    source, target = filled(600, ages=(29 * DAY,)), Target()
    moved(source, target)
    for place in target.lines:
        if place[0] == DEADLETTERS:
            target.first[place] = len(target.lines[place]) // 2
    with pytest.raises(TransferError, match="did not arrive"):
        Transfer(source, target, lambda: NOW).verify(lambda _: None)
    found = Transfer(source, target, lambda: NOW + 2 * DAY).verify(lambda _: None)
    assert sum(each.expired for each in found.values()) > 40


def _other_body(one: Record) -> Record:
    return replace(one, body=b"another")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(_other_body, "another log", id="body"),
        pytest.param(lambda one: replace(one, fingerprint=b"another!"), "another log", id="fingerprint"),
        pytest.param(lambda one: replace(one, recorded_at=1), "another log", id="recorded_at"),
        pytest.param(lambda one: replace(one, key=f"{one.key}x"), "another log", id="key"),
        pytest.param(lambda one: replace(one, type="Other"), "another log", id="type"),
        pytest.param(lambda one: replace(one, origin=""), "was not carried over", id="a record of its own"),
        pytest.param(
            lambda one: replace(one, origin="episodes/tocsin.alerts/1@7.0"), "was not carried over", id="an emission"
        ),
        pytest.param(
            lambda one: replace(one, origin=imported((one.topic, 1), 10**9)),
            "did not arrive|another log",
            id="beyond the end",
        ),
    ],
)
def test_anything_else_on_the_target_is_refused(change: "object", said: str) -> None:
    assert callable(change)
    source, target = filled(2_000), Target()
    transfer = moved(source, target)
    place = ("tocsin.pages", 1)
    last = target.lines[place][-1]
    target.lines[place][-1] = replace(last, record=change(last.record))
    for call in (transfer.standing, lambda: transfer.verify(lambda _: None)):
        with pytest.raises(TransferError, match=said):
            call()


def test_a_hole_is_found() -> None:
    source, target = filled(2_000), Target()
    transfer = moved(source, target)
    del target.lines["tocsin.pages", 1][20]
    with pytest.raises(TransferError, match="did not arrive, and"):
        transfer.verify(lambda _: None)


def test_what_did_not_arrive_is_found() -> None:
    source, target = filled(2_000), Target()
    transfer = moved(source, target)
    del target.lines["tocsin.pages", 1][-1]
    with pytest.raises(TransferError, match="did not arrive"):
        transfer.verify(lambda _: None)


def test_another_number_of_partitions_is_refused() -> None:
    source = MemoryEventLog({topic.name: 3 for topic in TOPICS})
    with pytest.raises(TransferError, match="3 partitions in the source and 8"):
        Transfer(source, Target(), lambda: NOW).standing()


def test_a_source_whose_chain_breaks_is_not_proven() -> None:
    source, target = filled(100), Target()
    line = source._split["tocsin.pages", 1]
    line[0] = replace(line[0], chain=bytes(32))
    transfer = Transfer(source, target, lambda: NOW)
    transfer.carry(transfer.standing(), lambda _: None)
    with pytest.raises(LogCorruptError, match="the chain breaks"):
        transfer.verify(lambda _: None)
