"""A process that is the web servers of many customers: each has an address on loopback, and some are slow or broken as asked.

It notes every request that it read, so that nothing that was lost or doubled goes unseen. It checks nothing else and costs little.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import httptools
import uvloop

from bench.sending import receiver

SLOW_SECONDS = 5.0
_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_BROKEN = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
_A_NET = 250


class Ill(IntEnum):
    """What is wrong with a host: it takes five seconds each time, or ends the first attempt of each message in one of three ways."""

    SLOW = 0
    BROKEN = 1
    RESETS = 2
    HANGS = 3


class Seen(NamedTuple):
    """A request that was read: ``at`` is seconds of the monotonic clock, ``accepted`` says whether a 2xx was written."""

    webhook: str
    host: int
    at: float
    accepted: bool


def address_of(host: int) -> str:
    """Return the address of a host by its number."""
    return f"127.10.{host // _A_NET}.{host % _A_NET + 1}"


class Hosts:
    """The hosts as the measuring process sees them."""

    def __init__(self, port: int, pipe: Connection) -> None:
        self.port = port
        self._pipe = pipe

    def fall_ill(self, count: int) -> None:
        """Let the first ``count`` hosts be ill, by turns in each way, and forget what was seen."""
        self._asked(count)

    def seen(self) -> list[Seen]:
        """Return what was read since."""
        return [Seen(*each) for each in self._asked(None)]

    def _asked(self, what: int | None) -> Any:
        self._pipe.send(what)
        return self._pipe.recv()


@contextmanager
def many_hosts() -> Iterator[Hosts]:
    """Run them in a process of their own; all are well."""
    with receiver(_run) as (port, pipe):
        yield Hosts(port, pipe)


# --- in that process ---


class _Ward:
    """Who is ill, and what was seen."""

    def __init__(self) -> None:
        self.ill = 0
        self.seen: list[Seen] = []
        self._attempts: Counter[str] = Counter()

    def attempt(self, webhook: str, host: int) -> Ill | None:
        """Count an attempt and return what goes wrong with it."""
        self._attempts[webhook] += 1
        ill = Ill(host % len(Ill)) if host < self.ill else None
        return ill if ill is Ill.SLOW or self._attempts[webhook] == 1 else None

    def fall_ill(self, count: int) -> None:
        """Begin anew with other patients."""
        self.ill = count
        self.seen.clear()
        self._attempts.clear()


class _Server(asyncio.Protocol):
    """One connection."""

    def __init__(self, ward: _Ward) -> None:
        self._ward = ward
        self._parser = httptools.HttpRequestParser(self)
        self._webhook = ""
        self._transport: Any = None
        self._host = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        _, _, net, last = transport.get_extra_info("sockname")[0].split(".")
        self._host = int(net) * _A_NET + int(last) - 1

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take the message's id."""
        if name.lower() == b"webhook-id":
            self._webhook = value.decode()

    def on_message_complete(self) -> None:
        """Answer, or do what the host does instead."""
        match self._ward.attempt(self._webhook, self._host):
            case None:
                self._accept(self._webhook)
            case Ill.SLOW:
                asyncio.get_running_loop().call_later(SLOW_SECONDS, self._accept, self._webhook)
            case Ill.BROKEN:
                self._note(self._webhook, accepted=False)
                self._transport.write(_BROKEN)
            case Ill.RESETS:
                self._note(self._webhook, accepted=False)
                self._transport.abort()
            case Ill.HANGS:
                self._note(self._webhook, accepted=False)

    def _accept(self, webhook: str) -> None:
        self._note(webhook, accepted=True)
        self._transport.write(_ANSWER)

    def _note(self, webhook: str, *, accepted: bool) -> None:
        self._ward.seen.append(Seen(webhook, self._host, asyncio.get_running_loop().time(), accepted))


def _run(pipe: Connection) -> None:
    uvloop.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    loop, ward = asyncio.get_running_loop(), _Ward()
    server = await loop.create_server(lambda: _Server(ward), "0.0.0.0", 0, backlog=4096)
    pipe.send(server.sockets[0].getsockname()[1])
    while True:
        asked = await loop.run_in_executor(None, pipe.recv)
        if asked is None:
            pipe.send([tuple(each) for each in ward.seen])
        else:
            ward.fall_ill(asked)
            pipe.send(None)
