"""Verifies a log that is split over servers: walks each partition, holds every record against itself, chains bodies.

On Kafka producers share a partition, so nobody chains while appending: the chain is that of what the broker stored, and
proves something only against a head that was noted earlier, elsewhere. Topics whose old records expire have no chain.
"""

import re
from collections.abc import Callable, Iterable, Iterator

import msgspec

from consumers.audit.records import Columns, RecordCheck
from schemas.topics import TOPICS
from streams.domain.processor import Processor
from streams.log import vector
from streams.log.chain import GENESIS, head, link
from streams.log.port import EventLog, LogCorruptError, Stored, TopicPartition

_NOTED = re.compile(r"(?:(v1\.[A-Za-z0-9_-]*)-)?([0-9a-f]{64})")
_READ = 2_000
_PROGRESS_EVERY = 2_000


class NotedHead(msgspec.Struct, frozen=True):
    """A head that was noted earlier: positions as ``EventLog.scan`` has them, and the hash as of them.

    Without positions it is the head as of now.
    """

    cursor: str | None
    hash: str


def noted(text: str) -> NotedHead:
    """Read ``<positions>-<64 hex digits>`` or the digits alone; raises ValueError."""
    found = _NOTED.fullmatch(text.strip())
    if found is None:
        raise ValueError("a head of this engine is <positions>-<64 hex digits>, or the 64 digits alone")
    return NotedHead(found[1], found[2])


class VerifiedParts(msgspec.Struct, frozen=True):
    """A log that holds together: its events, how many partitions have any, and its head."""

    events: int
    partitions: int
    head: str


def verify(
    log: EventLog,
    processors: Iterable[Processor],
    *,
    known_head: NotedHead | None = None,
    progress: Callable[[int], None] | None = None,
) -> VerifiedParts:
    """Return what a sound log holds; raises LogCorruptError with the place of the first fault and what differs there.

    ``processors`` say where their timers belong. With ``known_head`` the log must have had that head. Raises ValueError
    for a head of another log's partitions, LogUnavailableError.
    """
    walk = _Walk(log, RecordCheck(processors), known_head, progress)
    for topic in TOPICS:
        for partition, end in sorted(log.end(topic.name).items()):
            walk.take((topic.name, partition), end, chained=topic.retention_days is None)
    walk.require_head()
    return VerifiedParts(walk.events, walk.partitions, f"{vector.encode(walk.positions)}-{head(walk.links)}")


class _Walk:
    """What is known of the partitions that were taken."""

    def __init__(
        self,
        log: EventLog,
        check: RecordCheck,
        known_head: NotedHead | None,
        progress: Callable[[int], None] | None,
    ) -> None:
        self.events = 0
        self.partitions = 0
        self.positions: dict[TopicPartition, int] = {}
        self.links: dict[TopicPartition, bytes] = {}
        self._log = log
        self._check = check
        self._progress = progress
        self._known = known_head
        declared = {topic.name: log.partitions(topic.name) for topic in TOPICS}
        cursor = None if known_head is None else known_head.cursor
        self._then = {} if cursor is None else vector.decode(cursor, declared)
        self._links_then: dict[TopicPartition, bytes] = {}

    def take(self, place: TopicPartition, end: int, *, chained: bool) -> None:
        """Walk one partition up to ``end``."""
        topic, partition = place
        count = self._log.partitions(topic)
        last, before = GENESIS, self.events
        for stored in self._records(place, end):
            record = stored.record
            columns = Columns(record.id, record.type, record.recorded_at)
            schema = (record.fingerprint, record.body)
            self._check.require(stored.place, columns, schema, (topic, record.key), (partition, count))
            self._note(stored, last, chained=chained)
            last = link(last, *schema)
            self._count()
        if self.events == before:
            return
        self.partitions += 1
        if chained:
            self.positions[place] = end
            self.links[place] = last
            if self._then.get(place) == end:
                self._links_then[place] = last

    def require_head(self) -> None:
        """Raise LogCorruptError where the log did not have the noted head."""
        if self._known is None:
            return
        for place, position in self._then.items():
            if position > self.positions.get(place, 0):
                raise LogCorruptError(
                    f"{place[0]}[{place[1]}] ends at {self.positions.get(place, 0)}, before the noted {position}:"
                    " records were cut off"
                )
        found = head(self._links_then if self._known.cursor is not None else self.links)
        if found != self._known.hash:
            when = "now" if self._known.cursor is None else "as of the noted positions"
            raise LogCorruptError(f"{when} the head is {found}, and {self._known.hash} was noted")

    def _note(self, stored: Stored, last: bytes, *, chained: bool) -> None:
        # Before the first record at or behind the noted position: what lies below it is what was chained then.
        place = (stored.record.topic, stored.partition)
        then = self._then.get(place)
        if chained and then is not None and stored.offset >= then and place not in self._links_then:
            self._links_then[place] = last

    def _records(self, place: TopicPartition, end: int) -> Iterator[Stored]:
        start = 0
        while found := [stored for stored in self._log.read(*place, start, _READ) if stored.offset < end]:
            yield from found
            start = found[-1].offset + 1

    def _count(self) -> None:
        self.events += 1
        if self._progress is not None and self.events % _PROGRESS_EVERY == 0:
            self._progress(self.events)
