"""A notice for many by email, handed to a local SendGrid that answers and checks nothing; and meanwhile one for ten of another page.

Everything is in it: addresses decrypted, links signed, claims and results durable on the log, the official SDK. The
baseline is the SDK alone posting the same bodies, which it encodes by itself. The interpreter is set as the server sets it.
Processor time is that of all threads of the sending process: on a machine that others use too it says more than the rate.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.headerregistry import Address
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import msgspec
import orjson

from bench import population
from bench.measure import Metric, at_most, noted, reaches
from bench.programs import folder
from bench.seating import seat
from bench.sending import receiver, sending
from consumers.delivery.channel import Channel, Endpoint, Message
from consumers.delivery.channels.email import EmailSettings, email_channel
from consumers.delivery.channels.email_sendgrid import SendGridMails
from consumers.delivery.context import ChannelContext
from consumers.delivery.ledger_rules import notification_id
from consumers.delivery.net.sendgrid import Answer
from consumers.delivery.outcome import Sent
from consumers.delivery.settings import read
from consumers.delivery.subscribers import ACTIVE, Subscriber
from schemas.events import Change, Event, Filter, Notice, NoticePublished
from schemas.ids import random_id
from schemas.vocabulary import CellStatus, Impact, Kind
from streams.log.port import record_of
from streams.runtime.links import Links
from streams.runtime.metrics import Metrics
from tocsin.backend import Backend

MANY = int(os.environ.get("FANOUT", "100000"))
FEW = 10
BIG, SMALL = "big", "small"
_STEP = 10_000
_CHANGED = [Change("api", None, CellStatus.OPERATIONAL, CellStatus.MAJOR_OUTAGE)]
_WANTED = Filter(None, Impact.NONE, [Kind.INCIDENT])


class Found(NamedTuple):
    """What was measured: recipients a second, microseconds of processor time a recipient, seconds until the few were told."""

    rate: float
    cost: float
    few: float


def run() -> Iterator[Metric]:
    """Measure."""
    with folder() as place, receiver(_serve) as (port, _):
        backend = Backend(place / "data", {})
        try:
            people = {BIG: _subscribe(backend, BIG, MANY), SMALL: _subscribe(backend, SMALL, FEW)}
            began = time.perf_counter()
            _publish(backend, BIG)
            backend.settle()
            planned = time.perf_counter() - began
            found = asyncio.run(_measured(backend, _channel(port)))
            bare = _bare(port, len(people[BIG]))
        finally:
            backend.close()
    yield at_most("fanout", f"{MANY:,} recipients of one notice planned, ledger rows durable", planned, "s", 10)
    yield reaches(
        "fanout", f"{MANY:,} recipients handed to SendGrid, all recorded", found.rate, "/s", 25_000, bare.rate
    )
    yield noted("fanout", "processor time of that a recipient", found.cost, "us", bare.cost)
    yield at_most(
        "fanout", f"{FEW} recipients of another page's notice meanwhile, until the last is sent", found.few, "s", 1
    )


def _channel(port: int) -> Channel:
    given = {"from": "Acme <status@acme.example>", "sendgrid": {"api_key": "SG.x", "api": f"http://127.0.0.1:{port}"}}
    return email_channel(read(EmailSettings, given), ChannelContext())


def _subscribe(backend: Backend, page: str, count: int) -> list[str]:
    """Give the stage subscribers as if it had folded them, with keys and sealed addresses; return their ids."""
    ids = sorted(random_id() for _ in range(count))  # neighbours share a page of the file: it is filled in minutes
    for start in range(0, count, _STEP):
        some = ids[start : start + _STEP]
        backend.vault.create_all({one: f"{page}/{one}@example.com" for one in some})
        sealed = (backend.vault.seal(one, msgspec.json.encode(Endpoint(f"{one}@example.com"))) for one in some)
        seat(
            backend,
            page,
            [
                Subscriber(one, "email", address, _WANTED, ACTIVE, "", "bench", 0)
                for one, address in zip(some, sealed, strict=True)
            ],
        )
    return ids


def _publish(backend: Backend, page: str) -> str:
    now = backend.clock()
    notice: Notice = population.notice(random_id(), random_id(), _CHANGED, now)
    event: Any = Event(random_id(), page, now, now, "tocsin", None, None, False, NoticePublished(notice))
    backend.log.submit(lambda at: backend.log.append_within(at, [record_of(event)], [event])).result()
    return notice.update


async def _measured(backend: Backend, channel: Channel) -> Found:
    """Send to the many, and when a fifth was sent, to the few."""
    metrics = Metrics()
    async with sending(backend, channel, metrics):
        began, busy = time.perf_counter(), time.process_time()
        await _until(lambda: _sent(metrics) >= MANY // 5)
        asked = time.perf_counter()
        update = await asyncio.to_thread(_publish, backend, SMALL)
        await _until(lambda: _sent_of(backend, update) == FEW)
        few = time.perf_counter() - asked
        await _until(lambda: _sent(metrics) >= MANY + FEW and _nothing_waits(backend))
        seconds, cost = time.perf_counter() - began, time.process_time() - busy
    assert backend.log.query("select count(*) from ledger where state = 'sent'") == [(MANY + FEW,)]
    return Found(MANY / seconds, cost / MANY * 1_000_000, few)


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - nobody sets an event
        await asyncio.sleep(0.02)


def _sent(metrics: Metrics) -> float:
    return sum(
        sample.value
        for family in metrics.deliveries.collect()
        for sample in family.samples
        if sample.name.endswith("_total") and sample.labels["state"] == "sent"
    )


def _sent_of(backend: Backend, update: str) -> int:
    statement = "select count(*) from ledger where subject = (select subject from notices where update_id = ?) and state = 'sent'"
    return int(backend.log.query(statement, (update,))[0][0])


def _nothing_waits(backend: Backend) -> bool:
    return backend.queue.due_at("email") is None and not backend.queue.claimed("email", 1)


# --- SendGrid ---


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(202)
        self.send_header("x-message-id", "bench")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:  # nobody reads it
        pass


def _serve(pipe: Connection) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answering) as server:
        pipe.send(server.server_address[1])
        server.serve_forever()


class _Kept:
    """Stands in for the API and keeps what it is to post."""

    def __init__(self) -> None:
        self.body = b""

    def post(self, body: bytes) -> Answer:
        self.body = body
        return Answer(Sent("bench"))


async def _body() -> Any:
    """Return what is posted for a thousand recipients."""
    kept: Any = _Kept()
    links = Links("http://status.example", bytes(32))
    mails = SendGridMails(
        kept, Address("Acme", addr_spec="status@acme.example"), "acme.example", connections=1, timeout=10
    )
    notice = population.notice(random_id(), random_id(), _CHANGED, 0)
    ids = [random_id() for _ in range(1_000)]
    await mails.send(
        [
            (
                Message(notification_id("", "", one), notice, Endpoint(""), links.unsubscribe_url(BIG, one)),
                f"{one}@example.com",
            )
            for one in ids
        ]
    )
    await mails.close()
    return orjson.loads(kept.body)


def _bare(port: int, count: int) -> Found:
    """Measure the SDK alone, four requests at a time."""
    from sendgrid import SendGridAPIClient  # noqa: PLC0415 - it takes long to load

    client, body = SendGridAPIClient("SG.x", host=f"http://127.0.0.1:{port}"), asyncio.run(_body())
    began, busy = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: client.client.mail.send.post(request_body=body), range(count // 1_000)))
    seconds, cost = time.perf_counter() - began, time.process_time() - busy
    return Found(count / seconds, cost / count * 1_000_000, 0)
