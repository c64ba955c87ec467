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
from streams.runtime.state_store import Row, StateStore, StoreUnavailableError

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

    def newest(self, keys: Sequence[str]) -> dict[str, Newest]:
        """Return what is noted of these; a note may be forgotten after an hour."""


class FleetInstances:
    """Implements ``streams.runtime.instances.Instances``; raises LogUnavailableError where the store cannot be asked."""

    def __init__(self, store: StateStore, departures: Departures) -> None:
        self._store = store
        self._departures = departures

    def get_many(self, page: str, keys: Sequence[str]) -> dict[str, Instance]:
        try:
            return self._get_many(page, keys)
        except StoreUnavailableError as error:
            raise LogUnavailableError(str(error)) from error

    def _get_many(self, page: str, keys: Sequence[str]) -> dict[str, Instance]:
        by_partition: dict[int, list[str]] = defaultdict(list)
        for key in keys:
            by_partition[_partition(_log_key(page, key))].append(key)
        # In this order: a row that is read after a position is at least as new as it.
        newest = self._departures.newest([_log_key(page, key) for key in keys])
        found: dict[str, Instance] = {}
        for partition, some in by_partition.items():
            sure = self._sure(page, partition, some, newest)
            rows: list[Row] = [(INSTANCES, page, key) for key in sure]
            for (_, _, key), value in self._store.fetch(EPISODES.name, partition, rows).items() if rows else ():
                found[key] = decoded(_SPEC, value)
        return found

    def _sure(self, page: str, partition: int, keys: list[str], newest: Mapping[str, Newest]) -> list[str]:
        noted = {key: known for key in keys if (known := newest.get(_log_key(page, key))) is not None}
        if not noted:
            return keys
        folded = self._store.positions(EPISODES.name, partition).get(ALERTS.name, 0)
        return [key for key in keys if key not in noted or not _is_ahead(noted[key], folded)]


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


def _log_key(page: str, key: str) -> str:
    source, _, fingerprint = key.partition("/")
    return instance_key(page, source, fingerprint)


def _partition(key: str) -> int:
    return partition_of(key, ALERTS.partitions)
