"""What the intakes of a fleet know of alert instances: what is folded, unless something newer is on its way.

The fold lags behind the log, and another intake may have appended what this one has not heard of. Whoever judged by an
outdated state would take news for a repeat and drop it. So each intake notes which instances it is about to append to,
and where that came to lie; an instance whose newest alert is not folded yet counts as unknown: what is said of it
is appended, and the fold judges it at its place.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from schemas.events import AlertReceived, AlertRefreshed, AnyEvent
from schemas.ids import random_id
from schemas.topics import ALERTS, instance_key, partition_of
from streams.domain.episodes import EPISODES, INSTANCES, Instance
from streams.log.port import Appended, LogUnavailableError
from streams.runtime.partition_state import decoded
from streams.runtime.publisher import Publisher
from streams.runtime.state_store import StoreUnavailableError

_log = logging.getLogger(__name__)
_SPEC = next(spec for spec in EPISODES.tables if spec.name == INSTANCES)


class Newest(NamedTuple):
    """How far instances have come: ``leaving`` says that an append is under way, ``offset`` where the last one lies."""

    leaving: bool
    offset: int


class Departures(Protocol):
    """Notes of what intakes append, by log key. Methods block; they raise StoreUnavailableError."""

    def enter(self, flight: str, keys: Collection[str]) -> None:
        """Note that a flight is about to append to these."""

    def land(self, flights: Mapping[str, Mapping[str, int]]) -> None:
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


class DepartingPublisher:
    """Implements ``Publisher`` for an intake: notes what it appends to instances. To be used from one event loop.

    Nobody waits for a landing to be noted: until then an instance counts as unknown, which costs a record at the most.
    """

    def __init__(self, publisher: Publisher, departures: Departures) -> None:
        self._publisher = publisher
        self._departures = departures
        self._landed: dict[str, Mapping[str, int]] = {}
        self._landing: asyncio.Task[None] | None = None

    async def publish(self, events: Sequence[AnyEvent]) -> list[Appended]:
        keys = [_key_of(event) for event in events]
        named = {key for key in keys if key is not None}
        if not named:
            return await self._publisher.publish(events)
        flight = random_id()
        try:
            await asyncio.to_thread(self._departures.enter, flight, named)
        except StoreUnavailableError as error:
            raise LogUnavailableError(str(error)) from error
        appended = await self._publisher.publish(events)
        self._landed[flight] = {key: where.offset for key, where in zip(keys, appended, strict=True) if key is not None}
        if self._landing is None:
            self._landing = asyncio.create_task(self._land())
        return appended

    async def _land(self) -> None:
        try:
            while self._landed:
                landed, self._landed = self._landed, {}
                try:
                    await asyncio.to_thread(self._departures.land, landed)
                except StoreUnavailableError as error:
                    _log.warning("%d appends count as under way for a minute: %s", len(landed), error)
        finally:
            self._landing = None


def _is_ahead(newest: Newest, folded: int) -> bool:
    return newest.leaving or newest.offset >= folded


def _key_of(event: AnyEvent) -> str | None:
    match event.data:
        case (
            AlertReceived(source=source, fingerprint=fingerprint)
            | AlertRefreshed(source=source, fingerprint=fingerprint)
        ):
            return instance_key(event.page, source, fingerprint)
        case _:
            return None


def log_key(page: str, key: str) -> str:
    """Return the key on the log of an instance with this table key."""
    source, _, fingerprint = key.partition("/")
    return instance_key(page, source, fingerprint)
