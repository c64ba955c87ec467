"""Each host of a webhook is a provider of its own: a slow one holds few places, and nobody else waits for it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from consumers.delivery.channel import Message
from consumers.delivery.hosts import CROWDED, FULL, Hosts, HostsChannel, kept_apart
from consumers.delivery.outcome import Outcome, Retry, Sent
from consumers.delivery.rates import Destination, Limits
from consumers.delivery.slots import (
    CAUTION,
    LINGERS,
    PATIENCE,
    QUICK,
    Lingering,
    ManyHosts,
    OneProvider,
    most_in_hand,
    slots_of,
)
from schemas.vocabulary import NotificationState
from tests.unit.delivery.channels.messages import message
from tests.unit.delivery.fleet import Fleet
from tests.unit.delivery.pipeline import Pipeline, ScriptedChannel

MOST = 16
FEW = MOST // CAUTION
SLOW = 1.0


def channel_of(claim: int = MOST) -> ScriptedChannel:
    """Return a scripted channel whose hosts are providers of their own."""
    made = ScriptedChannel("webhook", idempotent=True, claim=claim)
    made.capabilities = msgspec.structs.replace(made.capabilities, limits=Limits(counts_by=Destination.HOST))
    return made


def enter(hosts: Hosts, host: str, count: int, now: float) -> list[str]:
    """Let as many of ``count`` in as there are places, and return them."""
    return [key for key in (f"{host}-{now}-{n}" for n in range(count)) if hosts.enter(host, key, now)]


def visit(hosts: Hosts, host: str, now: float, seconds: float) -> float:
    """Let one message come and go, and return when it went."""
    [key] = enter(hosts, host, 1, now)
    hosts.leave(host, key, now + seconds)
    return now + seconds


# --- the rule ---


def test_a_host_that_nobody_knows_and_a_slow_one_have_few_places_and_a_quick_one_all() -> None:
    hosts = Hosts(MOST)
    assert len(enter(hosts, "new", MOST, 0.0)) == FEW
    now = visit(hosts, "quick", 0.0, 0.01)
    assert len(enter(hosts, "quick", 2 * MOST, now)) == MOST
    now = visit(hosts, "slow", now, SLOW)
    assert len(enter(hosts, "slow", MOST, now)) == FEW


def test_a_quick_host_that_falls_silent_is_a_slow_one_from_then_on() -> None:
    hosts = Hosts(MOST)
    now = visit(hosts, "one", 0.0, 0.01)
    under_way = enter(hosts, "one", FEW, now)
    now += 2 * LINGERS / 1_000_000
    assert hosts.obstacle("one", now) == CROWDED
    for key in under_way:
        hosts.leave("one", key, now)
    assert hosts.obstacle("one", now) == ""


def test_where_too_many_linger_only_hosts_that_are_known_to_be_quick_are_told() -> None:
    hosts = Hosts(MOST)
    visit(hosts, "quick", 0.0, 0.01)
    for number in range(PATIENCE * MOST // FEW):
        assert len(enter(hosts, f"slow-{number}", FEW, 0.02)) == FEW
    assert hosts.obstacle("other", 0.03) == ""
    now = 0.02 + SLOW
    assert hosts.obstacle("other", now) == FULL
    assert len(enter(hosts, "quick", MOST, now)) == MOST
    hosts.leave("slow-0", "slow-0-0.02-0", now)
    assert hosts.obstacle("other", now) == ""


def test_who_waits_for_a_host_comes_again_at_its_pace_and_each_at_another_time() -> None:
    hosts = Hosts(MOST)
    now = visit(hosts, "slow", 0.0, 6.0)
    enter(hosts, "slow", FEW, now)
    waits = [hosts.wait("slow", now) for _ in range(4)]
    assert waits == pytest.approx([6.0, 9.0, 12.0, 15.0])
    assert max(hosts.wait("slow", now) for _ in range(100)) == pytest.approx(60.0)


def test_hosts_are_forgotten_but_not_those_that_something_is_under_way_to() -> None:
    hosts = Hosts(MOST)
    assert len(enter(hosts, "first", FEW, 0.0)) == FEW
    now = visit(hosts, "second", 0.0, 0.01)
    for number in range(10_100):
        hosts.obstacle(str(number), now)
    assert hosts.obstacle("first", now) == CROWDED
    assert len(hosts._known) <= 10_001
    assert "second" not in hosts._known


# --- slots ---


def test_what_lingers_is_counted_from_when_it_began() -> None:
    lingering = Lingering(10)
    for key, began in (("a", 0), ("b", 5), ("c", 20)):
        lingering.began(key, began)
    assert [lingering.count(now) for now in (9, 10, 15, 30)] == [0, 1, 2, 3]
    assert (lingering.ended("a"), lingering.ended("a"), lingering.oldest(), len(lingering)) == (0, None, 5, 2)
    lingering.began("d", 31)
    assert (lingering.count(32), lingering.next_at()) == (2, 41)


def test_what_lingers_takes_no_slot_of_what_is_quick_up_to_a_bound() -> None:
    slots = ManyHosts(MOST)
    now, in_hand = 0, 0
    while slots.free(now, in_hand) > 0:
        for _ in range(slots.free(now, in_hand)):
            slots.began(str(in_hand), now)
            in_hand += 1
        assert slots.more_at() == now + LINGERS
        now += LINGERS
    assert in_hand == most_in_hand(MOST) == MOST * (1 + PATIENCE)
    slots.ended("0", now, taken=True)
    assert slots.free(now, in_hand - 1) == 1


def test_one_provider_is_given_all_while_it_is_quick_and_an_eighth_while_it_is_not() -> None:
    slots = OneProvider(MOST)
    assert slots.free(0, 0) == FEW
    for n in range(20):
        slots.began(str(n), 0)
        slots.ended(str(n), 10, taken=True)
    assert slots.free(0, 0) == MOST
    for n in range(20):
        slots.began(str(n), 0)
        slots.ended(str(n), 5 * QUICK, taken=n > 10)
    assert slots.free(0, 1) == FEW - 1
    assert slots.more_at() is None


def test_which_slots_a_channel_has_is_said_by_what_its_limits_count_by() -> None:
    assert isinstance(slots_of(channel_of().capabilities), ManyHosts)
    assert isinstance(slots_of(ScriptedChannel().capabilities), OneProvider)
    mail = ScriptedChannel()
    assert kept_apart(mail) is mail


# --- the channel ---


class Doors:
    """Lets messages to a host of a scripted channel end when a test says so."""

    def __init__(self, channel: ScriptedChannel) -> None:
        self._open: dict[str, asyncio.Event] = {}
        self.under_way: dict[str, int] = {}
        self.most_under_way: dict[str, int] = {}
        channel.before = self._pass

    def close(self, host: str) -> None:
        """Let nothing to a host end from now on."""
        self._open[host] = asyncio.Event()

    def open(self, host: str) -> None:
        """Let all end."""
        self._open.pop(host).set()

    async def _pass(self, message: Message) -> None:
        host = Destination.HOST.of(message.endpoint.address)
        self.under_way[host] = self.under_way.get(host, 0) + 1
        self.most_under_way[host] = max(self.under_way[host], self.most_under_way.get(host, 0))
        if host in self._open:
            await self._open[host].wait()
        self.under_way[host] -= 1


@asynccontextmanager
async def apart() -> AsyncIterator[tuple[HostsChannel, Doors]]:
    inner = channel_of()
    made = HostsChannel(inner)
    doors = Doors(inner)
    yield made, doors
    await made.close()


def to(host: str, number: int) -> Message:
    return message(address=f"https://{host}/hooks/{number}", notification=f"{host}-{number}")


async def send(channel: HostsChannel, host: str, count: int) -> list[Outcome]:
    return list(await asyncio.gather(*(channel.send(to(host, n)) for n in range(count))))


async def test_all_that_a_quick_host_is_to_be_told_is_told_at_once() -> None:
    async with apart() as (channel, _):
        assert await send(channel, "quick.example", 10 * MOST) == [Sent()] * (10 * MOST)
        assert channel._waiting == {}


async def test_what_is_over_a_hosts_places_is_put_off_and_nothing_was_tried() -> None:
    async with apart() as (channel, doors):
        doors.close("slow.example")
        sending = asyncio.create_task(send(channel, "slow.example", MOST))
        await asyncio.sleep(0.05)
        assert await send(channel, "quick.example", MOST) == [Sent()] * MOST
        assert doors.under_way["slow.example"] == FEW
        await asyncio.sleep(2 * LINGERS / 1_000_000)
        assert doors.under_way["slow.example"] == FEW
        [late] = await send(channel, "slow.example", 1)  # it is known to be slow by now: nobody waits for it
        assert isinstance(late, Retry)
        assert channel._waiting == {}
        doors.open("slow.example")
        outcomes = await sending
        put_off = [one for one in outcomes if isinstance(one, Retry)]
        assert len(put_off) == MOST - FEW
        assert outcomes.count(Sent()) == FEW
        for one in put_off:
            assert (one.reason, one.attempted) == (CROWDED, False)
            assert one.after is not None
            assert timedelta(microseconds=LINGERS) <= one.after <= timedelta(seconds=60)


async def test_who_waits_and_is_cancelled_leaves_its_place_to_others() -> None:
    async with apart() as (channel, doors):
        doors.close("slow.example")
        first = [asyncio.create_task(channel.send(to("slow.example", n))) for n in range(FEW)]
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(channel.send(to("slow.example", FEW + n))) for n in range(FEW)]
        await asyncio.sleep(0.01)
        for task in waiting:
            task.cancel()
        doors.open("slow.example")
        assert await asyncio.gather(*first) == [Sent()] * FEW
        assert all(
            isinstance(each, asyncio.CancelledError) for each in await asyncio.gather(*waiting, return_exceptions=True)
        )
        assert len(channel._hosts._under_way) == 0
        assert channel._waiting == {}


# --- the whole way ---


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Pipeline]:
    made = Pipeline(tmp_path, channel_of())
    yield made
    made.close()


async def test_hosts_that_hang_hold_up_nobody_else(hooks: Pipeline) -> None:
    """More of them than a claim has places."""
    hang = MOST
    doors = Doors(hooks.channel)
    slow = [f"https://slow-{n % hang}.example/{n}" for n in range(3 * hang)]
    quick = [f"https://quick-{n}.example/" for n in range(2 * MOST)]
    for address in (*slow, *quick):
        hooks.subscribe(address)
    for n in range(hang):
        doors.close(f"slow-{n}.example")
    hooks.publish()
    sender = hooks.sender()
    running = asyncio.create_task(sender.run())

    while sum("quick" in each.endpoint.address for each in hooks.channel.attempts) < len(quick):
        hooks.now += LINGERS // 10
        await asyncio.sleep(0.01)
    # In which order they were planned is chance: some that hang may come last.
    while sum(doors.under_way.values()) < hang * FEW:
        hooks.now += LINGERS // 10
        await asyncio.sleep(0.01)
    assert {doors.most_under_way[f"slow-{n}.example"] for n in range(hang)} == {FEW}
    for n in range(hang):
        doors.open(f"slow-{n}.example")
    while any(state != NotificationState.SENT for _, state in hooks.states()):
        hooks.now += LINGERS
        await asyncio.sleep(0.01)
    sender.stop()
    await running
    told = [each.endpoint.address for each in hooks.channel.attempts]
    assert sorted(told) == sorted([*slow, *quick])
    assert {entry.attempts for entry in hooks.entries()} == {1}


async def test_nor_in_a_fleet() -> None:
    fleet = Fleet(channel_of())
    doors = Doors(fleet.channel)
    doors.close("slow.example")
    fleet.subscribe(2 * MOST, address="https://slow.example/{}")
    fleet.subscribe(MOST, address="https://{}.example/")
    worker = await fleet.worker()
    fleet.tell()
    await fleet.until(lambda: sum("slow" not in one.endpoint.address for one in fleet.channel.attempts) == MOST)
    await fleet.until(lambda: doors.under_way.get("slow.example", 0) >= FEW)
    assert doors.most_under_way["slow.example"] == FEW
    doors.open("slow.example")
    await fleet.passes(120, worker)
    await fleet.until(fleet.ended)
    assert fleet.states() == {"sent"}
    assert len(set(fleet.attempts())) == len(fleet.attempts()) == 3 * MOST
    await fleet.end()
