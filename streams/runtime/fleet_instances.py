"""What the intakes of a fleet know of alert instances: what is folded, unless something newer is on its way.

The fold lags behind the log, and another intake may have appended what this one has not heard of. Whoever judged by an
outdated state would take news for a repeat and drop it. So each intake notes which instances it is about to append to,
and where that came to lie; an instance whose newest alert is not folded yet counts as unknown: what is said of it
is appended, and the fold judges it at its place.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from time import sleep
from typing import NamedTuple, Protocol, TypeAlias

from schemas.ids import random_id
from schemas.topics import ALERTS, instance_key, partition_of
from streams.domain.episodes import EPISODES, INSTANCES, Instance
from streams.log.port import Appended, LogUnavailableError, Record
from streams.runtime.kafka_publisher import Appends
from streams.runtime.partition_state import decoded
from streams.runtime.state_store import StoreUnavailableError

_log = logging.getLogger(__name__)
_LAND_SECONDS = 0.05
"""How long a landing waits for a departure that takes it along."""
_SPEC = next(spec for spec in EPISODES.tables if spec.name == INSTANCES)


Landed: TypeAlias = Mapping[str, Mapping[str, int]]
"""By flight the offset of the last record of each key."""


class Newest(NamedTuple):
    """How far instances have come: ``leaving`` says that an append is under way, ``offset`` where the last one lies."""

    leaving: bool
    offset: int


class Departures(Protocol):
    """Notes of what intakes append, by log key. Methods block; they raise StoreUnavailableError."""

    def enter(self, flight: str, keys: Collection[str], landed: Landed | None = None) -> None:
        """Note that a flight is about to append to these, and what has ``landed`` as ``land`` does."""

    def land(self, flights: Landed) -> None:
        """Note of each flight where the last of its keys lies, and that it is over."""


class Glance(NamedTuple):
    """What is known of instances of one partition, by their table keys: notes, and the rows that were folded.

    ``folded`` is the first offset of the alerts of which the rows do not tell.
    """

    newest: Mapping[str, Newest]
    folded: int
    rows: Mapping[str, bytes]


class Glances(Protocol):
    """Looks at notes and rows at once: each alert that comes asks for both."""

    def glance(self, page: str, partition: int, keys: Sequence[str]) -> Glance:
        """Return what is known of instances of a partition; a note may be forgotten after an hour.

        The rows are at least as new as ``folded``, and that as the notes. Raises StoreUnavailableError.
        """


class FleetInstances:
    """Implements ``streams.runtime.instances.Instances``; raises LogUnavailableError where the store cannot be asked."""

    def __init__(self, glances: Glances) -> None:
        self._glances = glances

    def get_many(self, page: str, keys: Sequence[str]) -> dict[str, Instance]:
        try:
            return self._get_many(page, keys)
        except StoreUnavailableError as error:
            raise LogUnavailableError(str(error)) from error

    def _get_many(self, page: str, keys: Sequence[str]) -> dict[str, Instance]:
        by_partition: dict[int, list[str]] = defaultdict(list)
        for key in keys:
            by_partition[partition_of(log_key(page, key), ALERTS.partitions)].append(key)
        found: dict[str, Instance] = {}
        for partition, some in by_partition.items():
            seen = self._glances.glance(page, partition, some)
            for key, row in seen.rows.items():
                if key not in seen.newest or not _is_ahead(seen.newest[key], seen.folded):
                    found[key] = decoded(_SPEC, row)
        return found


class DepartingLog:
    """What an intake appends to: notes the instances of alerts before it appends. Thread-safe.

    Nobody waits for a landing to be noted: until then an instance counts as unknown, which costs a record at the most.
    It is noted together with the next departure, or by itself where none comes soon.
    """

    def __init__(self, log: Appends, departures: Departures) -> None:
        self._log = log
        self._departures = departures
        self._landed: dict[str, Mapping[str, int]] = {}
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(1, "landing")
        self._landing: Future[None] | None = None
        self._will_land = False

    def append(self, records: Sequence[Record]) -> list[Appended]:
        """Append as the log does; raises LogUnavailableError, with nothing appended, where departures cannot be noted."""
        keys = {record.key for record in records if record.topic == ALERTS.name}
        if not keys:
            return self._log.append(records)
        flight = random_id()
        landed = self._taken()
        try:
            self._departures.enter(flight, keys, landed)
        except StoreUnavailableError as error:
            self._put(landed)
            raise LogUnavailableError(str(error)) from error
        appended = self._log.append(records)
        pairs = zip(records, appended, strict=True)
        offsets = {each.key: at.offset for each, at in pairs if each.topic == ALERTS.name}
        self._put({flight: offsets})
        return appended

    def close(self) -> None:
        """Note what is left to be noted."""
        self._threads.shutdown(wait=True)

    def _taken(self) -> dict[str, Mapping[str, int]]:
        with self._lock:
            landed, self._landed = self._landed, {}
        return landed

    def _put(self, landed: Mapping[str, Mapping[str, int]]) -> None:
        with self._lock:
            self._landed |= landed
            if self._landed and not self._will_land:
                self._will_land = True
                self._landing = self._threads.submit(self._land)

    def _land(self) -> None:
        sleep(_LAND_SECONDS)
        with self._lock:
            # What lands from here on is for the next time, though this one is not over.
            self._will_land = False
            landed, self._landed = self._landed, {}
        if not landed:
            return
        try:
            self._departures.land(landed)
        except StoreUnavailableError as error:
            _log.warning("%d appends count as under way for a minute: %s", len(landed), error)


def _is_ahead(newest: Newest, folded: int) -> bool:
    return newest.leaving or newest.offset >= folded


def log_key(page: str, key: str) -> str:
    """Return the key on the log of an instance with this table key."""
    source, _, fingerprint = key.partition("/")
    return instance_key(page, source, fingerprint)
