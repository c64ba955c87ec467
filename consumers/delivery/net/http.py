"""The one HTTP client through which Tocsin talks to addresses that strangers typed. It decides nothing about answers.

A connection is made to the very address that the guard checked, while TLS (SNI, certificate) and Host keep the name.
Connections are kept by name, so that one is never reused for another name at the same address. HTTP/1.1 only; no
redirects, no proxies, no cookies, nothing from the environment. Import it where something is sent: aiohttp takes its time.
"""

import asyncio
import select
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from functools import cache
from ipaddress import ip_address
from typing import Any
from weakref import WeakSet

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, AbstractStreamWriter, ResolveResult
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from consumers.delivery.net.guard import Guard

KEEP_ALIVE = 5.0
"""Seconds for which an idle connection is kept."""
_MOST_IDLE = 100
"""How many idle connections are kept at the most; no more than may be in use."""
CLIENT_ERRORS = (aiohttp.ClientError, OSError)
"""What a request raises for whatever the network does, a timeout among them."""
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
# aiohttp says Accept and Content-Type by itself where nobody does.
_UNSAID = ("Accept",)


class Body(aiohttp.BytesPayload):
    """A request's body that knows whether it began to leave. Its headers leave with it, and not before."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.left = False

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write it; called by aiohttp once there is a connection."""
        self.left = True
        await super().write_with_length(writer, content_length)


class _Resolver(AbstractResolver):
    """Gives names the addresses that the guard returns, all of them checked."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host=str(address), port=port, family=_family(address.version), proto=0, flags=0
            )
            for address in await self._guard.addresses(host, port)
        ]

    async def close(self) -> None:
        """There is nothing to close."""


class _Socket(socket.socket):
    """A socket that says when it is closed. asyncio closes it; uvloop closes the descriptor and detaches it."""

    def __init__(self, family: int, kind: int, protocol: int, closed: Callable[["_Socket"], None]) -> None:
        super().__init__(family, kind, protocol)
        self._noted = closed

    def close(self) -> None:
        super().close()
        self._noted(self)

    def detach(self) -> int:
        self._noted(self)
        return super().detach()


class _Connector(aiohttp.TCPConnector):
    """Keeps no connection that was asked to be closed, and gives out none that the server has closed meanwhile.

    The event loop may not have heard of that yet, and whoever wrote to it would be in doubt of what certainly did not
    arrive. And not every server closes what it is asked to close.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._used: WeakSet[asyncio.Protocol] = WeakSet()

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        while True:
            connection = await super().connect(req, traces, timeout)
            assert connection.protocol is not None
            assert connection.transport is not None
            # A new one may have the server's TLS tickets to read; one that was used has nothing to say but its end.
            if connection.protocol not in self._used or not _is_readable(connection.transport):
                self._used.add(connection.protocol)
                if req.headers.get("connection") == "close":
                    connection.protocol.force_close()
                return connection
            connection.close()


@cache
def _trusted() -> ssl.SSLContext:
    """Return what certifi lists, for all clients: to read it takes 25 ms, and each channel has a client."""
    return httpx.create_ssl_context(trust_env=False)


class GuardedClient:
    """Posts over connections that a ``Guard`` let through, at most ``connections`` at once. To be used from one event loop.

    ``context`` is what TLS trusts; None is what the certifi package lists.
    """

    def __init__(self, guard: Guard, *, connections: int, context: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._most = connections
        self._tls = context or _trusted()
        self._open: set[_Socket] = set()
        self._exchanges = 0
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def post(
        self, url: httpx.URL, headers: Mapping[str, str], body: Body
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Post once; yield the answer once its head has come. What is left of its body is not read.

        Waits for ever: the caller bounds it. Raises aiohttp.ClientError and OSError for whatever the network does, and
        RefusedAddressError from the guard.
        """
        session = self._session or self._begin()
        if len(self._open) - self._exchanges >= min(self._most, _MOST_IDLE):
            headers = {**headers, "connection": "close"}
        self._exchanges += 1
        try:
            with closing(
                await session.post(target(url), data=body, headers=headers, allow_redirects=False)
            ) as response:
                yield response
        finally:
            self._exchanges -= 1

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @property
    def open(self) -> int:
        """How many connections there are, in use or idle."""
        return len(self._open)

    def _begin(self) -> aiohttp.ClientSession:
        connector = _Connector(
            resolver=_Resolver(self._guard),
            use_dns_cache=False,  # a name is resolved, and checked, for each connection
            socket_factory=self._dial,
            ssl=self._tls,
            limit=self._most,
            keepalive_timeout=KEEP_ALIVE,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_UNSAID,
            timeout=_NO_TIMEOUT,
            auto_decompress=False,
            trust_env=False,
        )
        return self._session

    def _dial(self, info: tuple[Any, ...]) -> socket.socket:
        """Make the socket for one address, which is checked here whether it was a name's or typed as it is."""
        family, kind, protocol, _, address = info
        self._guard.check(ip_address(address[0]), address[1])
        made = _Socket(family, kind, protocol, self._open.discard)
        self._open.add(made)
        return made


def target(url: httpx.URL) -> URL:
    """Return the same URL for aiohttp, of the parts that were checked: no other parser reads it again."""
    path, _, query = url.raw_path.decode("ascii").partition("?")
    authority = url.netloc.decode("ascii").rpartition("@")[2]
    return URL.build(scheme=url.scheme, authority=authority, path=path, query_string=query, encoded=True)


def _is_readable(transport: asyncio.Transport) -> bool:
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _family(version: int) -> socket.AddressFamily:
    return socket.AF_INET6 if version == 6 else socket.AF_INET
