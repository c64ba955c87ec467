"""Several senders of one channel over the distributed engine's ledger, in memory and by a clock that stands still."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec

from consumers.delivery.ahead import NOTHING, Found
from consumers.delivery.channel import Channel, Endpoint
from consumers.delivery.dispatch import Dispatch, Policy
from consumers.delivery.fleet_queue import FleetQueue
from consumers.delivery.folded import StoreFolded
from consumers.delivery.leases import Membership
from consumers.delivery.ledger_processor import LEDGER, THREADS
from consumers.delivery.ledger_rules import Item, Thread
from consumers.delivery.queue import Entry
from consumers.delivery.sender import Ledger, Sender
from consumers.delivery.subscribers import ACTIVE, Subscriber
from consumers.delivery.verdicts import Conclusion
from schemas.events import (
    AnyEvent,
    DeliveriesRecorded,
    DeliveryResult,
    Event,
    EventData,
    NoticePublished,
    NotificationsClaimed,
    NotificationsPlanned,
    Pace,
)
from schemas.ids import random_id
from schemas.topics import DELIVERIES, NOTIFICATIONS, shard_of
from schemas.vocabulary import Impact, IncidentStatus, Kind, NotificationState
from streams.keys.sqlite import SqliteKeyStore
from streams.keys.vault import Vault
from streams.log.memory import MemoryEventLog
from streams.log.port import Appended, LogUnavailableError, TopicPartition, event_of, record_of
from streams.runtime import failpoints
from streams.runtime.failpoints import Failpoint
from streams.runtime.links import Links
from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.metrics import Metrics
from streams.runtime.partition_fold import PartitionFold
from streams.runtime.partition_state import decoded
from tests.builders.fold_world import message
from tests.fakes.leases import FleetLeases
from tests.unit.delivery.pipeline import EVERYTHING, NOON, OPENING, PAGE, SECOND, Crash, ScriptedChannel, notice_of
from tocsin.delivering import keep_running


class Gated:
    """Attempts of one sender that stand still while ``gate`` is closed: its process is paused."""

    def __init__(self, dispatch: Dispatch) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = 0
        self._dispatch = dispatch

    async def send_all(
        self,
        channel: Channel,
        entries: Sequence[Entry],
        random: Random,
        refusals: int,
        may_send: Callable[[Entry], bool],
        ahead: Found = NOTHING,
    ) -> list[Conclusion]:
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        return await self._dispatch.send_all(channel, entries, random, refusals, may_send, ahead)

    def look_ahead(self, entries: Sequence[Entry]) -> Found:
        return self._dispatch.look_ahead(entries)

    def companions(self, channel: Channel, chosen: Sequence[Entry]) -> list[Entry]:
        return self._dispatch.companions(channel, chosen)


class Knowing:
    """What a sender hears of the ledger: nothing while ``hears`` is unset, though the ledger folds."""

    def __init__(self, store: MemoryStateStore) -> None:
        self.hears = True
        self._folded = StoreFolded(store)

    def passed(self, topic: str, partition: int, offset: int) -> bool:
        return self.hears and self._folded.passed(topic, partition, offset)


class Worker:
    """A process with one sender."""

    def __init__(self, sender: Sender, membership: Membership, attempts: Gated) -> None:
        self.sender = sender
        self.membership = membership
        self.attempts = attempts
        self.crashed = False
        self._task: asyncio.Task[None] | None = None

    async def start(self, *, kept_running: bool = False) -> None:
        """Take part from now on; ``kept_running``: as a process does, which goes on after a fault."""
        await self.sender.recover()
        self._task = asyncio.create_task(keep_running(self.sender) if kept_running else self.sender.run())

    def pause(self) -> None:
        """Begin no attempt, and renew no lease."""
        self.attempts.gate.clear()

    def resume(self) -> None:
        """Go on as if nothing had been."""
        self.attempts.gate.set()

    async def die(self) -> None:
        """End at once."""
        self.crashed = True
        tasks = (self._task, *self.sender._tasks, *self.sender._turns)
        running = [task for task in tasks if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def stop(self) -> None:
        """End in good order."""
        self.sender.stop()
        if self._task is not None and not self.crashed:
            await self._task


class Fleet:
    """A log, a ledger that folds at once while ``folds`` is set, and any number of workers."""

    def __init__(self, channel: ScriptedChannel) -> None:
        self.now = NOON
        self.channel = channel
        self.log = MemoryEventLog()
        self.store = MemoryStateStore()
        self.leases = FleetLeases(lambda: self.now / SECOND)
        self.workers: list[Worker] = []
        self.folds = True
        self.unanswered = 0
        """How many of the next claims the log takes without saying so."""
        self.people: list[str] = []
        self.asked_alone = 0
        """How many subscribers were looked up one by one."""
        self.knowing = Knowing(self.store)
        self._vault = Vault(SqliteKeyStore(":memory:"), bytes(32))
        self._fold = self._folded()
        self._subscribers: dict[str, Subscriber] = {}
        self.queue = FleetQueue(self.store, NOTIFICATIONS.partitions)

    # --- the ports that senders see ---

    def subscriber(self, page: str, key: str) -> Subscriber | None:
        self.asked_alone += 1
        return self._subscribers.get(key)

    def active(self, page: str, keys: Sequence[str]) -> dict[str, Subscriber]:
        return {key: self._subscribers[key] for key in keys if self._subscribers[key].state == ACTIVE}

    async def publish(self, events: Sequence[AnyEvent]) -> list[Appended]:
        appended = self.log.append([record_of(event) for event in events])
        await asyncio.sleep(0)
        self.fold()
        if self.unanswered and any(isinstance(event.data, NotificationsClaimed) for event in events):
            self.unanswered -= 1
            raise LogUnavailableError("no answer")
        return appended

    def fold(self) -> None:
        """Let the ledger catch up, if it may, and wake all senders."""
        if self.folds:
            for partition in range(NOTIFICATIONS.partitions):
                for topic in LEDGER.topics:
                    self._catch_up((topic, partition))
        self.wake()

    def lose_store(self) -> None:
        """Empty the store, and fold anew what became of the plans, before the plans themselves: those come with ``fold``."""
        self.store._parts.clear()
        self._fold = self._folded()
        for partition in range(DELIVERIES.partitions):
            self._catch_up((DELIVERIES.name, partition))

    def _folded(self) -> PartitionFold:
        made = PartitionFold(LEDGER, self.log, self.store)
        made.assigned(range(NOTIFICATIONS.partitions))
        return made

    def _catch_up(self, place: TopicPartition) -> None:
        self._fold.fold(place, [message(one) for one in self.log.read(*place, self._fold.position(place), 10_000)])

    def wake(self) -> None:
        for worker in self.workers:
            worker.sender.wake()

    # --- what happens ---

    def subscribe(self, count: int, pace: Pace | None = None, address: str = "{}@example.com") -> None:
        """Add subscribers to everything; each one's id stands in their address."""
        for _ in range(count):
            key = random_id()
            self._vault.create(key)
            sealed = self._vault.seal(key, msgspec.json.encode(Endpoint(address.format(key))))
            name = self.channel.capabilities.name
            self._subscribers[key] = Subscriber(key, name, sealed, EVERYTHING, ACTIVE, "", "test", self.now, pace)
            self.people.append(key)

    def tell(self, status: IncidentStatus = OPENING, subject: str = "outage", impact: Impact = Impact.CRITICAL) -> None:
        """Publish an update that is planned for everybody."""
        notice = msgspec.structs.replace(notice_of(status, subject, self.now), impact=impact)
        plans = [
            NotificationsPlanned(
                notice.update, subject, Kind.INCIDENT, self.channel.capabilities.name, number, shard_of(one), [one]
            )
            for number, one in enumerate(sorted(self.people))
        ]
        self.append(NoticePublished(notice), *plans)

    def append(self, *data: EventData) -> None:
        """Append events and fold them."""
        now = self.now
        self.log.append([record_of(Event(random_id(), PAGE, now, now, "t", None, None, False, one)) for one in data])
        self.fold()

    async def worker(
        self,
        failpoint: Failpoint = failpoints.none,
        *,
        paused: bool = False,
        kept_running: bool = False,
        pace: float = 0,
    ) -> Worker:
        """Start another worker."""
        membership = Membership(self.leases, self.channel.capabilities.name, monotonic=lambda: self.now / SECOND)
        links = Links("http://status.example", self._vault.signing_key, lambda: self.now)
        attempts = Gated(Dispatch(self.queue, self, self._vault, links, lambda: self.now, Policy()))
        ledger = Ledger(self.queue, self, self.knowing, turns=2, pace=pace)
        sender = Sender(self.channel, ledger, attempts, lambda: self.now, failpoint, Metrics(), membership)
        made = Worker(sender, membership, attempts)
        if paused:
            made.pause()
        self.workers.append(made)
        await made.start(kept_running=kept_running)
        return made

    async def passes(self, seconds: int, *alive: Worker) -> None:
        """Let time go by, second by second, in which these workers renew their leases and do what there is to do."""
        for _ in range(seconds):
            self.now += SECOND
            for worker in alive:
                worker.membership.renew()
            self.wake()
            await quiet()

    async def until(self, reached: Callable[[], bool]) -> None:
        """Let everybody work until something is so."""
        while not reached():
            self.wake()
            await asyncio.sleep(0.001)

    async def end(self) -> None:
        """Stop everybody in good order."""
        for worker in self.workers:
            await worker.stop()
        self.store.close()

    # --- what is known ---

    def items(self) -> list[Item]:
        """Return all notifications."""
        rows = [row for at in range(NOTIFICATIONS.partitions) for row in self.store.rows(LEDGER.name, at, [THREADS])]
        threads: list[Thread] = [decoded(LEDGER.tables[0], value) for _, value in rows]
        return [item for thread in threads for item in thread.planned]

    def states(self) -> set[str]:
        """Return the states that there are."""
        return {item.state.value for item in self.items()}

    def ended(self) -> bool:
        """Whether nothing waits and nobody has anything in hand."""
        return not any(item.due is not None or item.state is NotificationState.CLAIMED for item in self.items())

    def claims(self) -> list[NotificationsClaimed]:
        """Return all claims, in the order of the log."""
        events = [event_of(stored.record) for stored in self.log.scan(None, 100_000)[0]]
        return [event.data for event in events if isinstance(event.data, NotificationsClaimed)]

    def results(self) -> list[DeliveryResult]:
        """Return all results, in the order of the log."""
        events = [event_of(stored.record) for stored in self.log.scan(None, 100_000)[0]]
        return [one for event in events if isinstance(event.data, DeliveriesRecorded) for one in event.data.results]

    def doubted(self) -> set[str]:
        """Return the notifications that were ever listed in doubt."""
        return {one.notification for one in self.results() if one.state is NotificationState.IN_DOUBT}

    def attempts(self) -> list[str]:
        """Return the notifications that left, in order."""
        return [one.notification for one in self.channel.attempts]


async def quiet() -> None:
    """Let all that can run do so: a few turns of the loop, and the threads that renew leases at the start."""
    for _ in range(20):
        await asyncio.sleep(0)


def dies_at(name: str) -> Callable[[str], None]:
    """Return a failpoint that ends its process."""

    def die(place: str) -> Any:
        if place == name:
            raise Crash

    return die
