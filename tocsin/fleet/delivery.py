"""The role that sends one channel's notifications."""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from consumers.delivery.attempts import Attempts
from consumers.delivery.channel import Channel
from consumers.delivery.channel_report import notes_of
from consumers.delivery.dispatch import Dispatch
from consumers.delivery.fleet_conditions import EVERY, Crier
from consumers.delivery.fleet_queue import FleetQueue
from consumers.delivery.fleet_subscribers import FleetSubscribers
from consumers.delivery.folded import StoreFolded
from consumers.delivery.leases import Membership
from consumers.delivery.ledger_processor import LEDGER, fresh, queue
from consumers.delivery.limited import limited
from consumers.delivery.rates import Limits
from consumers.delivery.sender import Ledger, Sender
from consumers.delivery.switched_off import SwitchedOff, SwitchedOffChannel
from consumers.delivery.watch import Watch
from schemas.topics import NOTIFICATIONS
from streams.runtime import failpoints
from streams.runtime.announcements import AnnouncingLog
from streams.runtime.backlog import Backlog, Behind
from streams.runtime.kafka_publisher import KafkaPublisher
from streams.runtime.links import Links
from streams.runtime.metrics import Metrics
from streams.runtime.redis_announcements import RedisAnnouncements
from streams.runtime.redis_bulletins import RedisBulletins
from streams.runtime.redis_leases import RedisLeases
from streams.runtime.redis_limits import redis_limits
from streams.runtime.state_store import StoreUnavailableError
from tocsin.config import Config
from tocsin.delivering import DRAIN_SECONDS, allowed_of, keep_running, limiter_of, make_channels, policy_of
from tocsin.fleet.ground import Ground
from tocsin.fleet.probes import probes
from tocsin.fleet.pulse import Pulse, sample_backlog, sample_publisher
from tocsin.listening import web_server

_TURNS = 2
"""Appends of a sender on their way: an append, and the ledger's way to it, take longer than what comes meanwhile should wait."""
_PACE_SECONDS = 0.04
"""From one look at the ledger to the next: each asks the store five times, and what comes in a flurry can share it."""
_log = logging.getLogger(__name__)


class DeliveryWorker:
    """One sender among any number of its channel; what it has in hand when it is told to stop is sent and recorded."""

    def __init__(self, config: Config, ground: Ground, channel: str, environment: Mapping[str, str]) -> None:
        self._ground = ground
        self._metrics = Metrics()
        announcements = RedisAnnouncements(ground.redis, ground.engine.namespace)
        self._publisher = KafkaPublisher(AnnouncingLog(ground.log, announcements))
        self._queue = FleetQueue(ground.store, ground.log.partitions(NOTIFICATIONS.name))
        self._watch = Watch(ground.clock)
        self._crier = Crier(RedisBulletins(ground.redis, ground.engine.namespace), self._watch)
        channels = make_channels(config, self._metrics, self._watch)
        self._channel = channels.get(channel) or SwitchedOffChannel(channel)
        self._allowed = allowed_of(channel, channels, config.delivery.limits) if channel in channels else Limits()
        self._sender = self._make_sender(config, environment)
        self._task: asyncio.Task[None] | None = None
        self._crying: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._backlog = Backlog(ground.log, ground.store)
        self._pulse = Pulse(self._behind, ground.clock, self._further)
        sample_backlog(self._metrics, self._behind, ground.clock)
        sample_publisher(self._metrics, self._publisher)
        self._metrics.sample(self._sample_queue)

    def serve(self, listening: socket.socket, on_ready: Callable[[], None]) -> None:
        """Send until told to stop; raises StoreUnavailableError where Redis is away now."""
        # Here and not when the server starts: what fails there ends the process with the server's own code.
        self._ground.store.listen(self._hear)
        self._pulse.start()
        try:
            web_server(probes(self._pulse, self._metrics, self, self._notes), on_ready).run([listening])
        finally:
            self._pulse.stop()

    # --- Life ---

    async def start(self) -> None:
        """Begin to send, and wake up when the ledger moves."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(keep_running(self._sender))
        self._crying = asyncio.create_task(self._cry_for_ever())

    async def stop(self) -> None:
        """Finish what is in hand, within bounds; what is left then is put in doubt by whoever lives on."""
        self._sender.stop()
        if self._crying is not None:
            self._crying.cancel()
        if self._task is not None:
            _, pending = await asyncio.wait([self._task], timeout=DRAIN_SECONDS)
            for task in pending:
                task.cancel()
        await self._channel.close()
        with suppress(StoreUnavailableError):  # then it runs out by itself
            await asyncio.to_thread(self._crier.leave)
        await asyncio.to_thread(self._publisher.close)

    # --- inside ---

    async def _cry_for_ever(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self._crier.cry)
            except StoreUnavailableError as error:
                _log.warning("how the channel stands cannot be told: %s", error)
            await asyncio.sleep(EVERY.total_seconds())

    def _notes(self) -> Sequence[str]:
        return notes_of([self._channel.capabilities.name], self._watch, self._ground.clock)

    def _hear(self, processor: str, _partition: int, _pages: frozenset[str]) -> None:
        if processor == LEDGER.name and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._sender.wake)

    def _make_sender(self, config: Config, environment: Mapping[str, str]) -> Sender:
        ground = self._ground
        channel: Channel = self._channel
        links = Links(config.page.url, ground.vault.signing_key, ground.clock)
        policy = policy_of(config)
        subscribers = FleetSubscribers(ground.store, ground.log)
        dispatch: Attempts = (
            SwitchedOff()
            if isinstance(channel, SwitchedOffChannel)
            else Dispatch(self._queue, subscribers, ground.vault, links, ground.clock, policy)
        )
        name = channel.capabilities.name
        membership = Membership(RedisLeases(ground.redis, ground.engine.namespace), name)
        ledger = Ledger(self._queue, self._publisher, StoreFolded(ground.store), _TURNS, _PACE_SECONDS)
        storage = redis_limits(ground.engine.redis.get_secret_value(), ground.engine.namespace)
        limiter = limiter_of(channel, self._allowed, links.secret, self._metrics, self._watch, storage)
        failpoint = failpoints.from_environment(environment)
        sender = Sender(
            limited(channel, limiter),
            ledger,
            dispatch,
            ground.clock,
            failpoint,
            self._metrics,
            membership,
            limiter,
        )
        self._watch.look_at(name, sender.breaker, limiter)
        return sender

    def _sample_queue(self) -> None:
        """Have the metrics ask what waits to be sent on this channel, in the whole fleet."""
        name, store = self._channel.capabilities.name, self._ground.store
        try:
            counts = [
                store.ranked_count(LEDGER.name, partition, ranking)
                for ranking in (fresh(name), queue(name))
                for partition in range(self._ground.log.partitions(NOTIFICATIONS.name))
            ]
            due, now = self._queue.due_at(name), self._ground.clock()
        except StoreUnavailableError as error:
            _log.warning("what waits to be sent is not known: %s", error)
            return
        self._metrics.unsent.labels(name).set(sum(counts))
        self._metrics.oldest_unsent.set(0 if due is None else max(0, now - due) / 1_000_000)

    def _behind(self) -> Mapping[str, Behind]:
        return self._backlog.of([LEDGER])

    def _further(self) -> Sequence[str]:
        return ["its sender has ended"] if self._task is not None and self._task.done() else []
