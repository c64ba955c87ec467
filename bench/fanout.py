"""A notice for many by email, handed to a local SendGrid that answers and checks nothing; and meanwhile one for ten of another page.

Everything is in it: addresses decrypted, links signed, claims and results durable on the log, the official SDK. The
baseline is the same SDK posting batches of the same size with the same text and no work of ours.
"""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from typing import Any

import msgspec

from bench import population
from bench.measure import Metric, at_most, noted
from bench.programs import folder
from bench.seating import seat
from consumers.delivery.channel import Channel, Endpoint
from consumers.delivery.channels.email import EmailSettings, email_channel
from consumers.delivery.context import ChannelContext
from consumers.delivery.dispatch import Dispatch, Policy
from consumers.delivery.folded import SequenceFolded
from consumers.delivery.ledger import LedgerStage
from consumers.delivery.sender import Ledger, Sender
from consumers.delivery.settings import read
from consumers.delivery.subscribers import ACTIVE, Subscriber
from schemas.events import Change, Event, Filter, Notice, NoticePublished
from schemas.ids import random_id
from schemas.vocabulary import CellStatus, Impact, Kind
from streams.log.port import record_of
from streams.runtime import failpoints
from streams.runtime.links import Links
from streams.runtime.metrics import Metrics
from tocsin.backend import Backend

MANY = int(os.environ.get("FANOUT", "100000"))
FEW = 10
BIG, SMALL = "big", "small"
_STEP = 10_000
_WANTED = Filter(None, Impact.NONE, [Kind.INCIDENT])


def run() -> Iterator[Metric]:
    """Measure."""
    with folder() as place, _sendgrid() as port:
        backend = Backend(place / "data", {})
        try:
            people = {BIG: _subscribe(backend, BIG, MANY), SMALL: _subscribe(backend, SMALL, FEW)}
            rate, few = asyncio.run(_measured(backend, _channel(port)))
            bare = _bare(port, len(people[BIG]))
        finally:
            backend.close()
    yield noted("fanout", f"{MANY:,} recipients of one notice handed to SendGrid", rate, "/s", bare)
    yield at_most("fanout", f"{FEW} recipients of another page's notice meanwhile, until the last is sent", few, "s", 1)


def _channel(port: int) -> Channel:
    given = {"from": "Acme <status@acme.example>", "sendgrid": {"api_key": "SG.x", "api": f"http://127.0.0.1:{port}"}}
    return email_channel(read(EmailSettings, given), ChannelContext())


def _subscribe(backend: Backend, page: str, count: int) -> list[str]:
    """Give the stage subscribers as if it had folded them, with keys and sealed addresses; return their ids."""
    ids = [random_id() for _ in range(count)]
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
    changed = [Change("api", None, CellStatus.OPERATIONAL, CellStatus.MAJOR_OUTAGE)]
    notice: Notice = population.notice(random_id(), random_id(), changed, now)
    event: Any = Event(random_id(), page, now, now, "tocsin", None, None, False, NoticePublished(notice))
    backend.log.submit(lambda at: backend.log.append_within(at, [record_of(event)], [event])).result()
    backend.settle()
    return notice.update


async def _measured(backend: Backend, channel: Channel) -> tuple[float, float]:
    """Return the recipients a second of the many, and the seconds of the few who came when a fifth was sent."""
    await asyncio.to_thread(_publish, backend, BIG)
    async with _sending(backend, channel):
        began = time.perf_counter()
        await _until_sent(backend, BIG, MANY // 5)
        asked = time.perf_counter()
        await asyncio.to_thread(_publish, backend, SMALL)
        await _until_sent(backend, SMALL, FEW)
        few = time.perf_counter() - asked
        await _until_sent(backend, BIG, MANY)
        return MANY / (time.perf_counter() - began), few


@asynccontextmanager
async def _sending(backend: Backend, channel: Channel) -> Any:
    links = Links("http://status.example", backend.vault.signing_key, backend.clock)
    dispatch = Dispatch(backend.queue, backend.subscribers, backend.vault, links, backend.clock, Policy())
    folded = SequenceFolded(lambda: backend.driver.committed_position(LedgerStage.name))
    sender = Sender(
        channel, Ledger(backend.queue, backend.publisher, folded), dispatch, backend.clock, failpoints.none, Metrics()
    )
    loop = asyncio.get_running_loop()

    def wake() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(sender.wake)

    backend.driver.listen(wake)
    await sender.recover()
    running = asyncio.create_task(sender.run())
    try:
        yield
    finally:
        sender.stop()
        await running
        await channel.close()


async def _until_sent(backend: Backend, page: str, count: int) -> None:
    statement = "select count(*) from (select 1 from ledger where page = ? and state = 'sent' limit ?)"
    while (await asyncio.to_thread(backend.log.query, statement, (page, count)))[0][0] < count:  # noqa: ASYNC110 - a ledger sets no event
        await asyncio.sleep(0.05)


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


def _serve(pipe: Any) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answering) as server:
        pipe.send(server.server_address[1])
        server.serve_forever()


@contextmanager
def _sendgrid() -> Iterator[int]:
    """Run a server in a process of its own; yield its port."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield int(ours.recv())
    finally:
        process.terminate()
        process.join()


def _bare(port: int, count: int) -> float:
    """Return the recipients a second that the SDK alone hands over, four requests at a time."""
    from sendgrid import SendGridAPIClient  # noqa: PLC0415 - it takes long to load

    client = SendGridAPIClient("SG.x", host=f"http://127.0.0.1:{port}")

    def post(size: int) -> None:
        body: Mapping[str, Any] = {
            "personalizations": [{"to": [{"email": f"{number}@example.com"}]} for number in range(size)],
            "from": {"email": "status@acme.example"},
            "subject": "Requests fail",
            "content": [{"type": "text/plain", "value": "Some requests fail."}],
        }
        client.client.mail.send.post(request_body=body)

    began = time.perf_counter()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(post, [1_000] * (count // 1_000)))
    return count / (time.perf_counter() - began)
