"""What an intake of a fleet may rely on: a folded state, unless something newer is on its way to the fold."""

import asyncio
from collections.abc import Mapping, Sequence
from threading import Event as Flag

import pytest

from schemas.codec import frame
from schemas.events import AlertReceived, AnyEvent, Event, PromiseReminded
from schemas.topics import ALERTS, instance_key, partition_of
from schemas.vocabulary import AlertStatus, Severity
from streams.domain.episodes import EPISODES, table_key
from streams.log.memory import MemoryEventLog
from streams.log.port import LogUnavailableError, Record, record_of
from streams.runtime.fleet_instances import DepartingLog, FleetInstances, Glance, Landed, Newest
from streams.runtime.kafka_publisher import KafkaPublisher
from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.partition_fold import PartitionFold
from streams.runtime.partition_steps import Message
from streams.runtime.state_store import StoreUnavailableError
from tests.fakes.fleet import NotedDepartures

NOW = 1_790_000_000_000_000


class World:
    """An intake and the fold of episodes behind it, which folds when it is told to."""

    def __init__(self) -> None:
        self.log = MemoryEventLog()
        self.store = MemoryStateStore()
        self.departures = NotedDepartures(self.store)
        self.instances = FleetInstances(self.departures)
        self.departing = DepartingLog(self.log, self.departures)
        self.publisher = KafkaPublisher(self.departing)

    async def publish(self, *events: AnyEvent) -> None:
        """Append, and wait until it is noted that nothing is under way any more."""
        await self.publisher.publish(events)
        if (landing := self.departing._landing) is not None:
            await asyncio.wrap_future(landing)

    def fold(self) -> None:
        fold = PartitionFold(EPISODES, self.log, self.store)
        fold.assigned(range(ALERTS.partitions))
        for partition in range(ALERTS.partitions):
            records = self.log.read(ALERTS.name, partition, 0, 1_000)
            messages = [Message(each.offset, each.record.type, _frame(each.record)) for each in records]
            fold.fold((ALERTS.name, partition), messages)

    def known(self, *names: str) -> set[str]:
        keys = [table_key("prom", name) for name in names]
        return {key.removeprefix("prom/") for key in self.instances.get_many("acme", keys)}


def newest_of(departures: NotedDepartures, name: str) -> Mapping[str, Newest]:
    partition = partition_of(instance_key("acme", "prom", name), ALERTS.partitions)
    return departures.glance("acme", partition, [table_key("prom", name)]).newest


def _frame(record: Record) -> bytes:
    return frame(record.fingerprint, record.body)


def firing(name: str) -> AnyEvent:
    data = AlertReceived(
        "prom", name, f"episode-{name}", AlertStatus.FIRING, Severity.CRITICAL, NOW, None, None, "Down", {}, {}, "", "", False, False
    )  # fmt: skip
    return Event(f"alert-{name}", "acme", NOW, NOW, "source:prom", None, None, drill=False, data=data)


async def test_what_is_folded_is_known_and_what_is_not_is_not() -> None:
    world = World()
    assert world.known("a", "b") == set()
    await world.publish(firing("a"), firing("b"))
    assert world.known("a", "b") == set(), "on the log, and not folded"
    world.fold()
    assert world.known("a", "b", "c") == {"a", "b"}


async def test_an_instance_with_news_on_their_way_counts_as_unknown() -> None:
    world = World()
    await world.publish(firing("a"), firing("b"))
    world.fold()
    world.departures.enter("of another intake", [instance_key("acme", "prom", "a")])
    assert world.known("a", "b") == {"b"}
    partition = partition_of(instance_key("acme", "prom", "a"), ALERTS.partitions)
    behind = world.log.end(ALERTS.name)[partition]
    world.departures.land({"of another intake": {instance_key("acme", "prom", "a"): behind}})
    assert world.known("a", "b") == {"b"}, "it lies on the log, behind what is folded"
    world.log.append([record_of(firing_again("a"))])
    world.fold()
    assert world.known("a", "b") == {"a", "b"}


def firing_again(name: str) -> AnyEvent:
    event = firing(name)
    return Event("again", "acme", NOW, NOW, event.actor, None, None, drill=False, data=event.data)


async def test_landings_that_cannot_be_noted_refuse_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Away(NotedDepartures):
        def land(self, flights: Landed) -> None:
            raise StoreUnavailableError("away")

    world = World()
    world.departures = Away()
    world.departing = DepartingLog(world.log, world.departures)
    world.publisher = KafkaPublisher(world.departing)
    await world.publish(firing("a"))
    assert "1 appends count as under way" in caplog.text
    await world.publish(firing("b"))
    world.fold()
    assert newest_of(world.departures, "a")["prom/a"].leaving


async def test_an_append_that_fails_leaves_its_instances_in_doubt() -> None:
    world = World()
    await world.publish(firing("a"))
    world.fold()
    world.log.close()
    with pytest.raises(LogUnavailableError):
        await world.publisher.publish([firing_again("a")])
    assert world.known("a") == set(), "some of it may be on the log"


async def test_what_is_no_alert_is_noted_nowhere() -> None:
    world = World()
    event: AnyEvent = Event("one", "acme", NOW, NOW, "ops", None, None, drill=False, data=PromiseReminded("i", NOW))
    await world.publisher.publish([event])
    assert newest_of(world.departures, "a") == {}


async def test_without_the_store_nothing_is_taken() -> None:
    class Away(NotedDepartures):
        def glance(self, page: str, partition: int, keys: Sequence[str]) -> Glance:
            raise StoreUnavailableError("away")

    instances = FleetInstances(Away())
    with pytest.raises(LogUnavailableError):
        await asyncio.to_thread(instances.get_many, "acme", ["prom/a"])


async def test_what_lands_while_another_landing_is_noted_is_noted_too() -> None:
    class Slow(NotedDepartures):
        def __init__(self) -> None:
            super().__init__()
            self.began, self.may_end = Flag(), Flag()

        def land(self, flights: Landed) -> None:
            if not self.began.is_set():
                self.began.set()
                assert self.may_end.wait(30)
            super().land(flights)

    log, slow = MemoryEventLog(), Slow()
    departing = DepartingLog(log, slow)
    departing.append([record_of(firing("a"))])
    assert await asyncio.to_thread(slow.began.wait, 30)
    departing.append([record_of(firing("b"))])
    slow.may_end.set()
    await asyncio.to_thread(departing.close)
    assert [newest_of(slow, name)[f"prom/{name}"].leaving for name in "ab"] == [False, False]
