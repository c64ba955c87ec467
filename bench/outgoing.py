"""A notice for 10,000 webhooks at 500 hosts, with and without a tenth of them slow or broken; and what is lost or doubled of it.

Everything is in it: addresses decrypted, names resolved (by a table) and checked, bodies signed, claims and results durable on
the log. The round with slow and broken hosts runs at the same time as one without, each with processes and a log of its own,
because machines are shared and no two moments alike. The bare baseline is the same HTTP client in a loop, posting bodies of the
same size to as many hosts.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from typing import Any, NamedTuple

import httpx
import msgspec
import uvloop

from bench import population
from bench.many_hosts import Hosts, address_of, many_hosts
from bench.measure import Metric, at_most, noted, percentile, within
from bench.programs import folder
from bench.seating import seat
from bench.sending import sending
from consumers.delivery.channel import Endpoint
from consumers.delivery.channels.webhook import CLAIM, WebhookChannel, new_secret
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.guard import Guard
from consumers.delivery.net.post import Answer, Poster
from consumers.delivery.subscribers import ACTIVE, Subscriber
from schemas.events import Change, Event, Filter, NoticePublished
from schemas.ids import random_id
from schemas.vocabulary import CellStatus, Impact, Kind
from streams.log.port import record_of
from streams.runtime.metrics import Metrics
from tocsin.backend import Backend

MANY = int(os.environ.get("WEBHOOKS", "10000"))
HOSTS = 500
ILL = HOSTS // 10
PAGE = "bench"
_WANTED = Filter(None, Impact.NONE, [Kind.INCIDENT])
_BODY = b'{"type":"incident.updated","timestamp":"2026-11-22T14:30:00.000Z","data":{"text":"' + b"x" * 700 + b'"}}'
_GUARD_NETWORK = ip_network("127.0.0.0/8")


class Round(NamedTuple):
    """What came of one notice: when each webhook of a healthy host arrived (seconds), when the last of all did, and the counts."""

    healthy: Sequence[float]
    last: float
    cost: float
    lost: int
    doubled: int


def run() -> Iterator[Metric]:
    """Measure."""
    [alone] = _side_by_side(0)
    with many_hosts() as hosts:
        bare, bare_cost = uvloop.run(_bare(hosts))
    well, ill = _side_by_side(0, ILL)
    rounds = (alone, well, ill)
    what = f"{MANY:,} webhooks at {HOSTS} hosts"
    yield noted("webhooks", f"{what}, claims and results durable", MANY / alone.last, "/s", bare)
    yield noted("webhooks", "processor time of one, all threads", alone.cost, "us", bare_cost)
    told = "until a healthy host is told, a tenth of them slow or broken"
    for share, name in ((0.5, "p50"), (0.99, "p99"), (1.0, "the last")):
        with_ill, without = percentile(ill.healthy, share), percentile(well.healthy, share)
        yield within("webhooks", f"{told}, {name}", with_ill, "s", without, 1.2)
    yield noted("webhooks", "until slow and broken hosts have accepted all of theirs", ill.last, "s", well.last)
    yield at_most("webhooks", "lost, of all rounds", sum(each.lost for each in rounds), "", 0)
    yield at_most("webhooks", "accepted more than once, of all rounds", sum(each.doubled for each in rounds), "", 0)


def _side_by_side(*ills: int) -> list[Round]:
    """Run a round for each number of hosts that are ill, all at the same time, each in a process of its own."""
    context = get_context("spawn")
    begin = context.Barrier(len(ills))
    pipes = [context.Pipe() for _ in ills]
    processes = [
        context.Process(target=_alone, args=(theirs, begin, ill)) for ill, (_, theirs) in zip(ills, pipes, strict=True)
    ]
    for process in processes:
        process.start()
    try:
        found = [Round(*_received(ours, process)) for (ours, _), process in zip(pipes, processes, strict=True)]
    except BaseException:
        for process in processes:
            process.terminate()
        raise
    finally:
        for process in processes:
            process.join()
    return found


def _received(pipe: Connection, process: BaseProcess) -> Any:
    while not pipe.poll(1):
        if not process.is_alive() and not pipe.poll():
            raise RuntimeError("a round ended without a result")
    return pipe.recv()


def _alone(pipe: Connection, begin: Barrier, ill: int) -> None:
    """Do one round; in a process of its own."""
    with folder() as place, many_hosts() as hosts:
        backend = Backend(place / "data", {})
        try:
            planned = _subscribe(backend, hosts.port)
            begin.wait()
            pipe.send(tuple(uvloop.run(_round(backend, hosts, ill, planned))))
        finally:
            backend.close()


def _host(webhook: int) -> int:
    return webhook % HOSTS


def _url(webhook: int, port: int) -> str:
    return f"http://host-{_host(webhook)}.example:{port}/hooks/{webhook}"


async def _resolve(host: str, _port: int) -> list[str]:
    return [address_of(int(host.removeprefix("host-").removesuffix(".example")))]


def _subscribe(backend: Backend, port: int) -> int:
    """Give the stage subscribers as if it had folded them, with keys and sealed addresses; return how many."""
    ids = [random_id() for _ in range(MANY)]
    backend.vault.create_all({one: f"{PAGE}/{one}" for one in ids})
    endpoints = [msgspec.json.encode(Endpoint(_url(number, port), new_secret())) for number in range(MANY)]
    sealed = [backend.vault.seal(one, endpoint) for one, endpoint in zip(ids, endpoints, strict=True)]
    seat(
        backend,
        PAGE,
        [
            Subscriber(one, "webhook", address, _WANTED, ACTIVE, "", "bench", 0)
            for one, address in zip(ids, sealed, strict=True)
        ],
    )
    return len(ids)


def _publish(backend: Backend) -> None:
    now = backend.clock()
    changed = [Change("api", None, CellStatus.OPERATIONAL, CellStatus.MAJOR_OUTAGE)]
    told = NoticePublished(population.notice(random_id(), random_id(), changed, now))
    event: Any = Event(random_id(), PAGE, now, now, "tocsin", None, None, False, told)
    backend.log.submit(lambda at: backend.log.append_within(at, [record_of(event)], [event])).result()
    backend.settle()


async def _round(backend: Backend, hosts: Hosts, ill: int, planned: int) -> Round:
    """Tell everybody of one notice, with a channel and a sender that know nothing of the hosts yet."""
    hosts.fall_ill(ill)
    await asyncio.to_thread(_publish, backend)
    metrics = Metrics()
    began, busy = time.monotonic(), time.process_time()
    channel = WebhookChannel(Guard([_GUARD_NETWORK], _resolve), ChannelContext())
    async with sending(backend, channel, metrics):
        while _sent(metrics) < planned:  # noqa: ASYNC110 - a counter sets no event
            await asyncio.sleep(0.02)
        cost = time.process_time() - busy
    seen = await asyncio.to_thread(hosts.seen)
    accepted = Counter(each.webhook for each in seen if each.accepted)
    arrived = [each.at - began for each in seen if each.accepted]
    return Round(
        healthy=[each.at - began for each in seen if each.host >= ILL],
        last=max(arrived),
        cost=cost / planned * 1_000_000,
        lost=planned - len(accepted),
        doubled=sum(count > 1 for count in accepted.values()),
    )


def _sent(metrics: Metrics) -> float:
    return sum(
        sample.value
        for family in metrics.deliveries.collect()
        for sample in family.samples
        if sample.name.endswith("_total") and sample.labels["state"] == "sent"
    )


async def _bare(hosts: Hosts) -> tuple[float, float]:
    """Return the webhooks a second, and the microseconds of processor time of one, that the client alone posts."""
    hosts.fall_ill(0)
    poster = Poster(Guard([_GUARD_NETWORK], _resolve), connections=CLAIM)
    numbers = iter(range(MANY))

    async def post() -> None:
        for number in numbers:
            headers: Mapping[str, str] = {"content-type": "application/json", "webhook-id": str(number)}
            answer = await poster.post(httpx.URL(_url(number, hosts.port)), headers, _BODY)
            if not (isinstance(answer, Answer) and answer.status == 204):
                raise RuntimeError(f"the bare loop: {answer}")

    began, busy = time.monotonic(), time.process_time()
    await asyncio.gather(*(post() for _ in range(CLAIM)))
    seconds, cost = time.monotonic() - began, time.process_time() - busy
    await poster.close()
    return MANY / seconds, cost / MANY * 1_000_000
