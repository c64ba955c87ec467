"""A command is one event in the whole fleet, also where a process died between remembering, appending and noting it."""

import asyncio

import pytest

from schemas.events import AnyEvent, Event, PromiseReminded
from streams.log.memory import MemoryEventLog
from streams.log.port import LogUnavailableError, record_of
from streams.runtime import remembering
from streams.runtime.kafka_publisher import KafkaPublisher
from streams.runtime.remembering import Known, RememberingPublisher
from streams.runtime.state_store import StoreUnavailableError
from tests.fakes.fleet import RememberedEvents

SECOND = 1_000_000
NOW = 1_790_000_000 * SECOND
TOPIC = "tocsin.pages"


class World:
    """A log and a memory, shared by any number of processes."""

    def __init__(self) -> None:
        self.log = MemoryEventLog()
        self.memory = RememberedEvents()

    def process(self) -> RememberingPublisher:
        return RememberingPublisher(KafkaPublisher(self.log), self.log, self.memory)

    def on_the_log(self) -> list[str]:
        partitions = range(self.log.partitions(TOPIC))
        return [stored.record.id for number in partitions for stored in self.log.read(TOPIC, number, 0, 10_000)]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(remembering, "_PATIENCE", 0.1)
    monkeypatch.setattr(remembering, "_POLL", 0.01)
    return World()


def command(identifier: str, at: int = NOW) -> AnyEvent:
    return Event(identifier, "acme", at, at, "ops", None, None, drill=False, data=PromiseReminded("i", at))


async def test_a_repeat_finds_the_first_wherever_it_comes_in(world: World) -> None:
    [first] = await world.process().publish([command("one")])
    [again, other] = await world.process().publish([command("one", NOW + SECOND), command("two")])
    assert (again.partition, again.offset, again.duplicate) == (first.partition, first.offset, True)
    assert (first.duplicate, other.duplicate) == (False, False)
    assert sorted(world.on_the_log()) == ["one", "two"]
    found = world.process().find("one")
    assert found == command("one"), "as it was first"


async def test_two_at_once_are_one(world: World) -> None:
    answers = await asyncio.gather(*(world.process().publish([command("one", NOW + number)]) for number in range(5)))
    assert sum(not where.duplicate for [where] in answers) == 1
    assert len({(where.partition, where.offset) for [where] in answers}) == 1
    assert world.on_the_log() == ["one"]


async def test_who_died_before_the_append_is_helped_out_by_the_repeat(world: World) -> None:
    world.memory.first([record_of(command("one"))])
    assert world.process().find("one") is None, "nothing is on the log yet"
    [where] = await world.process().publish([command("one", NOW + SECOND)])
    assert where.duplicate
    assert world.process().find("one") == command("one"), "the event is the one that was asked for first"
    assert world.on_the_log() == ["one"]


async def test_who_died_after_the_append_is_found_on_the_log(world: World) -> None:
    records = [record_of(command(f"before-{number}", NOW - (1_000 - number) * SECOND)) for number in range(1_000)]
    world.log.append(records)
    lost = record_of(command("one"))
    world.memory.first([lost])
    [lies] = world.log.append([lost])
    world.log.append([record_of(command(f"after-{number}", NOW + number * SECOND)) for number in range(700)])
    [where] = await world.process().publish([command("one", NOW + SECOND)])
    assert (where.partition, where.offset, where.duplicate) == (lies.partition, lies.offset, True)
    assert world.memory.find("one") == Known(lost, (lies.partition, lies.offset))
    assert world.on_the_log().count("one") == 1


async def test_without_the_memory_no_command_is_taken(world: World) -> None:
    class Away(RememberedEvents):
        def first(self, records: object) -> list[Known | None]:
            raise StoreUnavailableError("away")

    publisher = RememberingPublisher(KafkaPublisher(world.log), world.log, Away())
    with pytest.raises(LogUnavailableError):
        await publisher.publish([command("one")])
    assert world.on_the_log() == []
