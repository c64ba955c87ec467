"""The example page on either engine, from an incident's fact to the answer of the API; notifications end as tests say."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import httpx
import msgspec

from consumers.delivery.channel import Channel, Endpoint
from consumers.delivery.fleet_planner import FollowedAudience, planner
from consumers.delivery.fleet_queue import FleetQueue
from consumers.delivery.history import history
from consumers.delivery.ledger_processor import LEDGER
from consumers.delivery.ledger_rules import notification_id
from consumers.delivery.planned_before import PlansOnLog
from consumers.delivery.reports import Addresses
from consumers.delivery.subscribers import PROCESSOR as SUBSCRIBERS
from consumers.delivery.watch import Watch
from consumers.projection.board import STATUS, StatusBoard
from consumers.reliability.past import FleetPast, StoredPast
from consumers.web import errors
from consumers.web.dependencies import WebDependencies
from consumers.web.router import web_router
from consumers.web.unrouted import FleetUnrouted, StoredUnrouted
from schemas.events import (
    AnyEvent,
    DeliveriesRecorded,
    DeliveryResult,
    Event,
    EventData,
    Filter,
    Micros,
    NotificationsClaimed,
    SubscriberAdded,
)
from schemas.ids import random_id
from schemas.topics import NOTIFICATIONS, TOPICS, shard_of
from schemas.vocabulary import Audience, NotificationState
from streams.domain.catalogue import catalogue_in, difference
from streams.domain.pages import PAGES
from streams.domain.processor import Processor
from streams.domain.state import memory_state
from streams.keys.sqlite import SqliteKeyStore
from streams.keys.vault import Vault
from streams.log.port import record_of
from streams.runtime.access import Access, Operator, Role
from streams.runtime.follower import Follower
from streams.runtime.links import Links
from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.metrics import Metrics
from streams.runtime.partition_fold import PartitionFold
from tests.builders.fold_world import message
from tests.fakes.tail import TailedMemoryLog
from tests.unit.delivery.pipeline import EVERYTHING, NOON, PAGE, SECOND, ScriptedChannel
from tocsin.backend import Backend
from tocsin.config.catalogue import desired
from tocsin.config.loader import load_example
from tocsin.faces import Reading, web_of
from tocsin.fleet.probes import NoLife
from tocsin.http import application

TOKEN = "viewer-token"
_WAIT_SECONDS = 30.0


class Nowhere:
    """Readiness, which is not asked for."""

    def problems(self) -> list[str]:
        return []


class Engine(Protocol):
    """One of the two."""

    vault: Vault

    def append(self, events: Sequence[AnyEvent]) -> None:
        """Append events and wait until everything is folded."""

    def reading(self) -> Reading:
        """Return what the web reads of it."""

    def close(self) -> None:
        """Release what it holds."""


class Embedded:
    """A data folder."""

    def __init__(self, folder: Path) -> None:
        self._backend = Backend(folder, {}, lambda: NOON)
        self._backend.apply(PAGE, desired(load_example({})))
        self.vault = self._backend.vault

    def append(self, events: Sequence[AnyEvent]) -> None:
        self._backend._append_events(list(events))
        self._backend.settle()

    def reading(self) -> Reading:
        log = self._backend.log
        return Reading(
            board=self._backend.board, past=StoredPast(log.query), queue=self._backend.queue,
            subscribers=self._backend.subscribers.book, history=partial(history, log),
            unrouted=StoredUnrouted(log.query), readiness=Nowhere(), events=lambda *_: ([], None),
            conditions=Watch(self._backend.clock),
        )  # fmt: skip

    def close(self) -> None:
        self._backend.close()


class Fleet:
    """A log and a store in memory, followers as a face of the fleet has them, and workers that fold when they are told."""

    def __init__(self, _: Path) -> None:
        self.vault = Vault(SqliteKeyStore(":memory:"), bytes(32))
        self._log = TailedMemoryLog({topic.name: topic.partitions for topic in TOPICS}, limit=1_000)
        self._store = MemoryStateStore()
        self._audience = FollowedAudience(self._log.end)
        self._board = StatusBoard()
        on_load, on_batch = self._audience.load, self._audience.follow
        self._followers = {
            SUBSCRIBERS: Follower(SUBSCRIBERS, self._log, self._store, on_batch, on_load=on_load),
            STATUS: Follower(STATUS, self._log, self._store, self._board.committed),
        }
        self._audience.attach(self._followers[SUBSCRIBERS])
        for follower in self._followers.values():
            follower.start()
        empty = catalogue_in(memory_state(PAGES.tables), PAGE)
        catalogue = difference(empty, desired(load_example({})))
        self.append([Event(random_id(), PAGE, NOON, NOON, "test", None, None, False, data) for data in catalogue])

    def append(self, events: Sequence[AnyEvent]) -> None:
        self._log.append([record_of(event) for event in events])
        for processor in (PAGES, planner(self._audience, PlansOnLog(self._log)), LEDGER):
            self._fold(processor)
        for processor, follower in self._followers.items():
            ends = {(topic, at): end for topic in processor.topics for at, end in self._log.end(topic).items()}
            assert follower.wait_for(ends, _WAIT_SECONDS)

    def _fold(self, processor: Processor) -> None:
        partitions = range(NOTIFICATIONS.partitions)
        fold = PartitionFold(processor, self._log, self._store)
        fold.assigned(partitions)
        for place in [(topic, at) for topic in processor.topics for at in partitions]:
            fold.fold(place, [message(one) for one in self._log.read(*place, fold.position(place), 10_000)])

    def reading(self) -> Reading:
        return Reading(
            board=self._board, past=FleetPast(self._store), queue=FleetQueue(self._store, NOTIFICATIONS.partitions),
            subscribers=self._audience.book, history=partial(history, self._log), unrouted=FleetUnrouted(self._store),
            readiness=Nowhere(), events=lambda *_: ([], None), conditions=Watch(lambda: 0),
        )  # fmt: skip

    def close(self) -> None:
        for follower in self._followers.values():
            follower.stop()
        self._store.close()


ENGINES: tuple[Callable[[Path], Engine], ...] = (Embedded, Fleet)


class World:
    """A page on an engine; every event comes a second after the one before."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.now: Micros = NOON
        self.deps = self._dependencies()

    def say(self, *data: EventData) -> None:
        """Let events happen, one by one."""
        for each in data:
            self.now += SECOND
            event: AnyEvent = Event(random_id(), PAGE, self.now, self.now, "test", None, None, False, each)
            self.engine.append([event])

    def subscribe(
        self, wanted: Filter = EVERYTHING, audience: Audience = Audience.PUBLIC, *, confirmed: bool = True
    ) -> str:
        """Sign somebody up by mail and return their id."""
        key = random_id()
        self.engine.vault.create(key, f"{PAGE}/{key}")
        sealed = self.engine.vault.seal(key, msgspec.json.encode(Endpoint("ann@example.com")))
        self.say(SubscriberAdded(key, "email", sealed, wanted, confirmed, "test", audience))
        return key

    def claim(self, incident: str, update: str, subscriber: str) -> None:
        """Let a sender take a notification."""
        told = notification_id(incident, update, subscriber)
        self.say(NotificationsClaimed("worker", shard_of(subscriber), [told]))

    def end(
        self, incident: str, update: str, subscriber: str, state: NotificationState, reason: str = "",
        retry_at: Micros | None = None,
    ) -> None:  # fmt: skip
        """Record how an attempt ended."""
        result = DeliveryResult(notification_id(incident, update, subscriber), state, reason, retry_at)
        self.say(DeliveriesRecorded("worker", shard_of(subscriber), [result]))

    async def ask(self, subscriber: str, token: str | None = TOKEN, **query: str) -> httpx.Response:
        """Ask the API why."""
        return await self.get(f"/api/v1/pages/{PAGE}/subscribers/{subscriber}/why", token, **query)

    async def get(self, path: str, token: str | None = None, **query: str) -> httpx.Response:
        """Read a path, as an operator or as anybody."""
        app = application(
            [web_router(self.deps)], NoLife(), lambda _, problem: errors.answer(_, problem, self.deps.pages, None)
        )
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://page.example", headers=headers) as client:
            return await client.get(path, params=query)

    def _dependencies(self) -> WebDependencies:
        channels: dict[str, Channel] = {"email": ScriptedChannel()}
        access = Access([(Operator("eve", Role.VIEWER), TOKEN)])
        addresses = Addresses(self.engine.vault, channels)
        return web_of(
            PAGE,
            self.engine.reading(),
            access,
            addresses,
            Links("http://page.example", bytes(32)),
            lambda: self.now,
            Metrics(),
        )

    def close(self) -> None:
        """Release everything."""
        self.deps.stream.close()
        self.deps.bodies.close()
        self.engine.close()
