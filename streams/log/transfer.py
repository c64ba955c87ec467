"""Carries a log into another engine, record by record, and proves that it arrived. It decodes no event.

Where it stands is written on the target itself: every record that is carried over has an origin that names its place
and offset in the source (``streams.log.origin.imported``), in the same append as its body. So a transfer that was
killed anywhere goes on behind the last one that arrived; one that arrives twice all the same is passed over by every
fold, and here, because of its origin.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import msgspec

from schemas.events import Micros
from schemas.topics import TOPIC_OF_NAME
from streams.log.chain import GENESIS, link
from streams.log.origin import imported, parse
from streams.log.port import EventLog, LogCorruptError, LogError, Record, Stored, TopicPartition

Progress: TypeAlias = Callable[[int], None]
"""Told now and then how many records of the source are done."""
_BATCH = 1_000
_TAIL = 4 * _BATCH
"""Records read back from each partition: more than one append can have left there after it was given up."""
_READ = 2_000
_STRANGE = "so the target holds another log, or was written to since"
_DAY: Micros = 24 * 3600 * 1_000_000


class TransferError(LogError):
    """The target cannot take this log, or does not hold what was carried over."""


class Carried(msgspec.Struct, frozen=True):
    """What both logs hold of one partition.

    ``hash`` (64 hex digits) is the chain over schema fingerprints and bodies on either side. ``expired`` records of the
    source are too old for the target to keep them, ``repeated`` ones arrived twice.
    """

    records: int
    hash: str
    expired: int
    repeated: int


class Transfer:
    """One log on its way from ``source``, to which nobody appends meanwhile, to ``target``.

    ``clock`` says now, in microseconds since 1970, for topics whose records expire. All methods raise TransferError,
    and LogUnavailableError, after which the transfer may be made anew.
    """

    def __init__(self, source: EventLog, target: EventLog, clock: Callable[[], Micros]) -> None:
        self._source = source
        self._target = target
        self._clock = clock

    def standing(self) -> dict[TopicPartition, int]:
        """Return for each partition the offset in the source behind the last record that arrived.

        Raises TransferError where the target holds anything else, or has another number of partitions.
        """
        return {place: self._standing(place) for place in self._places()}

    def carry(self, standing: Mapping[TopicPartition, int], progress: Progress) -> int:
        """Append what lies behind ``standing``, in the source's order; return how many records that were."""
        cursor: str | None = None
        done = carried = 0
        while True:
            found, cursor = self._source.scan(cursor, _BATCH)
            if not found:
                return carried
            batch = [_carried(stored) for stored in found if self._is_due(stored, standing)]
            if batch:
                self._target.append(batch)
            carried += len(batch)
            done += len(found)
            progress(done)

    def verify(self, progress: Progress) -> dict[TopicPartition, Carried]:
        """Compare both logs record by record and return what each partition that has records holds."""
        found: dict[TopicPartition, Carried] = {}
        done = 0
        for place in self._places():
            compared = self._compare(place)
            done += compared.records + compared.expired
            progress(done)
            if compared.records or compared.expired:
                found[place] = compared
        return found

    # --- inside ---

    def _places(self) -> list[TopicPartition]:
        found = []
        for topic in TOPIC_OF_NAME:
            try:
                here, there = self._source.partitions(topic), self._target.partitions(topic)
            except KeyError:
                raise TransferError(f"{topic} is not a topic of both logs") from None
            if here != there:
                raise TransferError(f"{topic} has {here} partitions in the source and {there} in the target")
            found += [(topic, partition) for partition in range(here)]
        return found

    def _standing(self, place: TopicPartition) -> int:
        topic, partition = place
        end = self._target.end(topic)[partition]
        tail = list(_records(self._target, place, max(0, end - _TAIL)))
        if not tail:
            if end and not _expires(topic):
                raise LogCorruptError(f"{topic}[{partition}] of the target ends at {end} and nothing can be read there")
            return 0
        last = max(tail, key=lambda stored: _offset_in_source(place, stored))
        offset = _offset_in_source(place, last)
        self._require_same(last, next(_records(self._source, place, offset), None), offset)
        return offset + 1

    def _is_due(self, stored: Stored, standing: Mapping[TopicPartition, int]) -> bool:
        place = (stored.record.topic, stored.partition)
        return stored.offset >= standing.get(place, 0) and not self._is_expired(stored.record)

    def _is_expired(self, record: Record) -> bool:
        kept = TOPIC_OF_NAME[record.topic].retention_days
        return kept is not None and record.recorded_at <= self._clock() - kept * _DAY

    def _compare(self, place: TopicPartition) -> Carried:
        source = self._checked(place)
        here = there = GENESIS
        records = expired = repeated = 0
        highest = -1
        for stored in _records(self._target, place):
            offset = _offset_in_source(place, stored)
            if offset <= highest:
                repeated += 1
                continue
            highest = offset
            expected = next(source, None)
            while expected is not None and expected.offset < offset and self._may_lack(expected):
                expired += 1
                expected = next(source, None)
            known = self._require_same(stored, expected, offset)
            here = link(here, known.fingerprint, known.body)
            there = link(there, stored.record.fingerprint, stored.record.body)
            records += 1
        for missing in source:
            if not self._may_lack(missing):
                raise TransferError(f"{missing.place} of the source did not arrive")
            expired += 1
        if here != there:
            raise TransferError(f"{place[0]}[{place[1]}]: the hashes differ: {here.hex()} and {there.hex()}")
        return Carried(records, there.hex(), expired, repeated)

    def _may_lack(self, stored: Stored) -> bool:
        return _expires(stored.record.topic) and self._is_expired(stored.record)

    def _require_same(self, stored: Stored, expected: Stored | None, offset: int) -> Record:
        if expected is None or expected.offset > offset:
            raise TransferError(f"{stored.place} of the target came from offset {offset}, {_STRANGE}")
        if expected.offset < offset:
            raise TransferError(f"{expected.place} of the source did not arrive, and {stored.place} of the target does")
        if _carried(expected) != stored.record:
            raise TransferError(f"{stored.place} of the target is not what lies at {expected.place} here, {_STRANGE}")
        return expected.record

    def _checked(self, place: TopicPartition) -> Iterator[Stored]:
        """Yield the source's records and hold them against the source's own chain."""
        last = GENESIS
        for stored in _records(self._source, place):
            last = link(last, stored.record.fingerprint, stored.record.body)
            if stored.chain and stored.chain != last:
                raise LogCorruptError(f"{stored.place} of the source: the chain breaks; `tocsin log verify` says more")
            yield stored


def _expires(topic: str) -> bool:
    return TOPIC_OF_NAME[topic].retention_days is not None


def _records(log: EventLog, place: TopicPartition, start: int = 0) -> Iterator[Stored]:
    while found := log.read(*place, start, _READ):
        yield from found
        start = found[-1].offset + 1


def _carried(stored: Stored) -> Record:
    one = stored.record
    origin = imported((one.topic, stored.partition), stored.offset)
    return Record(one.topic, one.key, one.id, one.type, one.recorded_at, one.fingerprint, one.body, origin)


def _offset_in_source(place: TopicPartition, stored: Stored) -> int:
    origin = parse(stored.record.origin)
    if origin is None or stored.record.origin != imported(place, origin.offset):
        raise TransferError(
            f"{stored.place} of the target was not carried over from {place[0]}[{place[1]}], {_STRANGE}"
        )
    return origin.offset
