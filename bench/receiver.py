"""A receiver of webhooks that notes when which probe arrived first, and a paced sender of alerts. It knows no vendor.

Both live in one event loop of the measuring process, on one clock, and cost little enough not to be what is measured.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Any

import httptools

_PROBE = re.compile(rb"probe-(\d{5})")
_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


def probe(number: int) -> str:
    """Return the word by which an alert is recognised in whatever is sent about it."""
    return f"probe-{number:05}"


class Arrivals:
    """When the first notification of each probe was complete, by the probe's number (seconds of the monotonic clock).

    ``all_came`` is set once there are ``expected`` of them.
    """

    def __init__(self, expected: int) -> None:
        self.first: dict[int, float] = {}
        self.all_came = asyncio.Event()
        self._expected = expected

    def note(self, body: bytes) -> None:
        """Note a webhook's body."""
        now = time.monotonic()
        for number in {int(found) for found in _PROBE.findall(body)}:
            self.first.setdefault(number, now)
        if len(self.first) >= self._expected:
            self.all_came.set()


class Receiver(asyncio.Protocol):
    """One connection of a sender of webhooks: everything is answered with 204."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._parser = httptools.HttpRequestParser(self)
        self._body = bytearray()
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        """Gather a part of a body."""
        self._body += data

    def on_message_complete(self) -> None:
        """Note the body and answer."""
        self._arrivals.note(bytes(self._body))
        self._body.clear()
        self._transport.write(_ANSWER)


_IDLE_SECONDS = 2.0


class Posting:
    """Keep-alive connections to one server; a request takes one that is free."""

    def __init__(self, port: int, path: str, headers: Sequence[str]) -> None:
        self._port = port
        self._head = "\r\n".join((f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *headers, "")).encode()
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, float]] = []

    async def post(self, body: bytes) -> None:
        """Post and read the answer; raises RuntimeError unless it is a 2xx."""
        reader, writer = await self._connection()
        writer.write(self._head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        said = await reader.readexactly(int(length[1]) if length else 0)
        if not head.startswith(b"HTTP/1.1 2"):
            raise RuntimeError(f"{head[:40]!r} {said[:200]!r}")
        self._free.append((reader, writer, time.monotonic()))

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._free:
            reader, writer, since = self._free.pop()
            # Servers close what was idle for some seconds, and may do so while a request is on its way.
            if time.monotonic() - since < _IDLE_SECONDS and not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self._port)

    def close(self) -> None:
        """Close the connections."""
        for _, writer, _ in self._free:
            writer.close()


async def pace(posting: Posting, bodies: Sequence[bytes], each_second: float) -> list[float]:
    """Post the bodies in an open loop, whatever the answers take; return when each was due to leave."""
    begin = time.monotonic() + 0.1
    due = [begin + index / each_second for index in range(len(bodies))]
    tasks = []
    for body, at in zip(bodies, due, strict=True):
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        tasks.append(asyncio.create_task(posting.post(body)))
    await asyncio.gather(*tasks)
    return due
