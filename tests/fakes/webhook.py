"""A receiver of webhooks that checks what it gets as a customer's server should, and fails as a test asks.

>>> with FakeWebhookReceiver() as receiver:
...     receiver.secret = "whsec_..."
...     receiver.script(Reply(503, {"Retry-After": "7"}), times=1)
...     # subscribe receiver.url
...     [delivery] = receiver.wait_for(1)
"""

import asyncio
import json
import socket
import ssl
import struct
import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import h11
from standardwebhooks import Webhook, WebhookVerificationError

from tests.fakes.loop import Arrivals, LoopThread


@dataclass(frozen=True)
class Reply:
    """Answer with this status."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0


@dataclass(frozen=True)
class Hang:
    """Read the request and never answer."""


@dataclass(frozen=True)
class Reset:
    """Read the request, send the first ``after`` bytes of a 200 with a long body, and reset the connection.

    Without ``hard`` it is closed instead, so that what was sent surely arrives.
    """

    after: int = 0
    hard: bool = True


@dataclass(frozen=True)
class Flood:
    """Answer 200 with a body that never ends."""


Action = Reply | Hang | Reset | Flood


@dataclass(frozen=True)
class Delivery:
    """A request that was received: ``accepted`` says whether it got a 2xx."""

    target: str
    headers: dict[str, str]
    raw: bytes
    accepted: bool

    @property
    def id(self) -> str:
        """The webhook-id: the notification's."""
        return self.headers["webhook-id"]

    @property
    def body(self) -> dict[str, Any]:
        """The parsed body."""
        parsed: dict[str, Any] = json.loads(self.raw)
        return parsed


class FakeWebhookReceiver:
    """An HTTP server on loopback. Use it as a context manager; all methods may be called from any thread.

    With ``secret`` set, a request whose signature does not verify is answered 400 and noted in ``violations``.
    ``echo`` is how a challenge is answered: ``json``, ``plain`` or ``none``.
    """

    def __init__(
        self, port: int = 0, *, secret: str = "", echo: str = "json", tls: ssl.SSLContext | None = None
    ) -> None:
        self.port = port
        self.secret = secret
        self.echo = echo
        self.deliveries: list[Delivery] = []
        self.violations: list[str] = []
        self.connections = 0
        self._tls = tls
        self._script: deque[Action] = deque()
        self._always: Action = Reply(204)
        self._lock = threading.Lock()
        self._arrivals = Arrivals()
        self._tasks: set[asyncio.Task[Any] | None] = set()

    @property
    def url(self) -> str:
        """Where to send."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}/hook"

    def script(self, action: Action, times: int | None = None) -> None:
        """Do ``action`` for the next ``times`` requests, or always."""
        with self._lock:
            if times is None:
                self._always = action
            else:
                self._script.extend([action] * times)

    def accepted(self) -> Counter[str]:
        """How often each webhook-id was accepted."""
        return Counter(delivery.id for delivery in list(self.deliveries) if delivery.accepted)

    def wait_for(self, count: int, timeout: float = 10.0) -> list[Delivery]:
        """Return the requests once there are ``count``; AssertionError if they do not come."""
        came = self._arrivals.wait(lambda: len(self.deliveries) >= count, timeout)
        assert came, f"{len(self.deliveries)} of {count} requests came"
        return list(self.deliveries)

    def __enter__(self) -> Self:
        self._thread = LoopThread("fake-webhook")
        self._server = self._thread.call(asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._thread.call(self._shut())
        self._thread.stop()

    async def _shut(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            if task is not None:
                task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        self._tasks.add(task)
        connection = h11.Connection(h11.SERVER)
        try:
            while await self._exchange(connection, reader, writer):
                connection.start_next_cycle()
        except (OSError, h11.RemoteProtocolError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _exchange(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Read one request and answer it; return whether the connection goes on."""
        request, body = None, b""
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                return False
        assert request is not None
        action = self._received(request, body)
        match action:
            case Reply():
                await asyncio.sleep(action.delay)
                await self._reply(connection, writer, action)
                return connection.our_state is h11.DONE and connection.their_state is h11.DONE
            case Hang():
                await asyncio.Event().wait()
            case Reset(after, hard):
                writer.write((b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000)[:after])
                await writer.drain()
                # Lingering for zero seconds makes the close a reset.
                linger = struct.pack("ii", hard, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            case Flood():
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                while True:
                    writer.write(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
                    await writer.drain()
        return False

    async def _reply(self, connection: h11.Connection, writer: asyncio.StreamWriter, reply: Reply) -> None:
        headers = {"content-length": str(len(reply.body)), **reply.headers}
        if reply.status in {204, 304}:
            headers.pop("content-length")
        head = connection.send(h11.Response(status_code=reply.status, headers=list(headers.items())))
        body = connection.send(h11.Data(data=reply.body)) if reply.body else b""
        writer.write((head or b"") + (body or b"") + (connection.send(h11.EndOfMessage()) or b""))
        await writer.drain()

    def _received(self, request: h11.Request, body: bytes) -> Action:
        headers = {name.decode().lower(): value.decode() for name, value in request.headers}
        complaint = self._complaint(request, headers, body)
        with self._lock:
            action = self._script.popleft() if self._script else self._always
        if complaint is not None:
            self.violations.append(complaint)
            action = Reply(400, body=complaint.encode())
        elif isinstance(action, Reply) and 200 <= action.status < 300 and not action.body:
            action = self._challenged(json.loads(body)) or action
        accepted = isinstance(action, Reply) and 200 <= action.status < 300
        self.deliveries.append(Delivery(request.target.decode(), headers, body, accepted))
        self._arrivals.announce()
        return action

    def _complaint(self, request: h11.Request, headers: dict[str, str], body: bytes) -> str | None:
        """Return what a strict receiver objects to."""
        if request.method != b"POST" or headers.get("content-type") != "application/json":
            return "expected a POST of application/json"
        if len(body) > 20_000:
            return "more than 20 kB"
        message = json.loads(body)
        if set(message) != {"type", "timestamp", "data"}:
            return "expected type, timestamp, data"
        if self.secret:
            try:
                Webhook(self.secret).verify(body, headers)
            except WebhookVerificationError as error:
                return str(error)
        return None

    def _challenged(self, message: dict[str, Any]) -> Reply | None:
        if message["type"] != "subscription.challenge" or self.echo == "none":
            return None
        token = message["data"]["challenge"]
        return Reply(200, body=json.dumps({"challenge": token}).encode() if self.echo == "json" else token.encode())
