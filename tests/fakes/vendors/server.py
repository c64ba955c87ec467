"""The server that every fake vendor runs on: records, checks, accepts, and misbehaves on command. Knows no vendor.

>>> with VendorServer(SendGrid()) as vendor:
...     vendor.misbehave(Reply(429, {"Retry-After": "7"}))
...     # point the SDK at vendor.url
...     assert len(vendor.accepted) == 1

It runs in a thread of its own, since SDKs block. At its end it fails the test if a request was not as the vendor wants it.
"""

import asyncio
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

import h11

from tests.fakes.loop import Arrivals, LoopThread
from tests.fakes.vendors.http import Hang, Misbehaviour, Reply, Request, Reset, Truncate


class Vendor(Protocol):
    """What one vendor does with a request. Called from one thread, one request at a time."""

    def complaint(self, request: Request) -> str | None:
        """Return what is wrong with a request, None for one that the vendor takes."""

    def invalid(self, request: Request, complaint: str) -> Reply:
        """Return how the vendor answers a request that it does not take."""

    def accept(self, request: Request) -> Reply:
        """Do what is asked, remember it, and return how the vendor says so."""


V = TypeVar("V", bound=Vendor)


class VendorServer(Generic[V]):
    """A vendor on loopback. Use it as a context manager; all methods may be called from any thread.

    ``requests`` came, ``accepted`` are those whose messages a real provider would have delivered (a GET has none), ``violations`` are the
    complaints about invalid ones.
    """

    def __init__(self, vendor: V) -> None:
        self.vendor = vendor
        self.port = 0
        self.requests: list[Request] = []
        self.accepted: list[Request] = []
        self.violations: list[str] = []
        self._script: deque[Misbehaviour | None] = deque()
        self._always: Misbehaviour | None = None
        self._lock = threading.Lock()
        self._arrivals = Arrivals()
        self._tasks: set[asyncio.Task[Any] | None] = set()

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def misbehave(self, how: Misbehaviour | None, times: int | None = 1) -> None:
        """Do so for the next ``times`` requests, or for all (None); ``how`` None is to behave. Invalid ones do not count."""
        with self._lock:
            if times is None:
                self._always = how
            else:
                self._script.extend([how] * times)

    def calm(self) -> None:
        """Forget all misbehaviour that is still to come."""
        with self._lock:
            self._script.clear()
            self._always = None

    def forgive(self) -> list[str]:
        """Return the violations so far and forget them: the test wanted them."""
        with self._lock:
            found, self.violations = self.violations, []
        return found

    def wait_for(self, count: int, timeout: float = 10.0) -> list[Request]:
        """Return what was accepted once there are ``count``; AssertionError if they do not come."""
        came = self._arrivals.wait(lambda: len(self.accepted) >= count, timeout)
        assert came, f"{len(self.accepted)} of {count} requests were accepted"
        return list(self.accepted)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse connections for a while: nobody listens, and nobody else gets the port."""
        self._thread.call(self._shut())
        with socket.socket() as held:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(("127.0.0.1", self.port))
            yield
        self._listen()

    def __enter__(self) -> Self:
        self._thread = LoopThread("fake-vendor")
        self._listen()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._thread.call(self._shut())
        self._thread.stop()
        if kind is None:  # else it would hide what went wrong first
            assert not self.violations, f"the vendor was asked what it refuses: {self.violations}"

    # --- in the loop's thread ---

    def _listen(self) -> None:
        self._server = self._thread.call(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self.port = self._server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        self._server.close()
        tasks = [task for task in self._tasks if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
        request = await _read(connection, reader)
        if request is None:
            return False
        good, how = self._decided(request)
        match how:
            case Reply():
                writer.write(how.head + how.body)
                await writer.drain()
                # h11 reads only: what is written it need not know, but whether the other side wants to go on.
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                return connection.our_state is h11.DONE and connection.their_state is h11.DONE
            case Hang():
                with suppress(ConnectionError):
                    await reader.read()  # until the other side gives up
            case Reset(after, hard):
                await _send_and_close(writer, (good.head + good.body)[:after], hard=hard)
            case Truncate():
                closing = replace(good, headers={**good.headers, "connection": "close"})
                await _send_and_close(writer, closing.head + good.body[: len(good.body) // 2], hard=False)
        return False

    def _decided(self, request: Request) -> tuple[Reply, Misbehaviour]:
        """Return the good answer and what is done; what is accepted is accepted before anything is said."""
        complaint = self.vendor.complaint(request)
        if complaint is not None:
            self.requests.append(request)
            self.violations.append(complaint)
            refusal = self.vendor.invalid(request, complaint)
            return refusal, refusal
        with self._lock:
            how = self._script.popleft() if self._script else self._always
        good = Reply(200)
        if how is None or how.accepts:
            good = self.vendor.accept(request)
            if request.method != "GET":
                self.accepted.append(request)
        self.requests.append(request)
        self._arrivals.announce()
        return good, good if how is None else how


async def _read(connection: h11.Connection, reader: asyncio.StreamReader) -> Request | None:
    head, body = None, b""
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        else:
            return None
    assert head is not None
    headers = {name.decode().lower(): value.decode() for name, value in head.headers}
    return Request(head.method.decode(), head.target.decode(), headers, body)


async def _send_and_close(writer: asyncio.StreamWriter, content: bytes, *, hard: bool) -> None:
    writer.write(content)
    await writer.drain()
    if not hard:
        writer.close()
        await writer.wait_closed()
        return
    # Lingering for zero seconds makes the close a reset.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
