"""The one HTTP transport through which Tocsin talks to addresses that strangers typed. It decides nothing about answers.

A connection is made to the very address that the guard checked, while TLS (SNI, certificate) and Host keep the name.
Connections are kept by name, so that one is never reused for another name at the same address.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from typing import Any

import anyio
import httpcore
import httpx

from consumers.delivery.net.guard import Guard
from consumers.delivery.net.pool import ConnectionPool

_HTTPCORE_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    httpcore.ProxyError,
)


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that is closed when a TLS handshake is cancelled, where httpcore closes it on errors only."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            return await self._inner.start_tls(ssl_context, server_hostname, timeout)
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await self._inner.aclose()
            raise


class PinningBackend(httpcore.AsyncNetworkBackend):
    """Dials the addresses that the guard returns, in their order, until one takes the connection."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await self._guard.addresses(host, port)
        except OSError as error:
            raise httpcore.ConnectError("the name does not resolve") from error
        failure: Exception | None = None
        for address in addresses:
            try:
                return _Stream(
                    await self._inner.connect_tcp(str(address), port, timeout, local_address, socket_options)
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class _Body(httpx.AsyncByteStream):
    """An answer's body whose errors are httpx's; its end gives the connection back."""

    def __init__(self, response: httpcore.Response, release: Callable[[], Awaitable[None]]) -> None:
        self._response = response
        self._release: Callable[[], Awaitable[None]] | None = release

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._response.aiter_stream():
                yield part
        except _HTTPCORE_ERRORS as error:
            raise httpx.ReadError(type(error).__name__) from error

    async def aclose(self) -> None:
        if self._release is None:
            return
        release, self._release = self._release, None
        try:
            await self._response.aclose()
        finally:
            await release()


class GuardedTransport(httpx.AsyncBaseTransport):
    """An httpx transport that connects through a ``Guard``. HTTP/1.1 only; no redirects, no proxies, nothing from the environment.

    Raises httpx.TransportError for whatever the network does, and RefusedAddressError from the guard.
    """

    def __init__(self, guard: Guard, *, connections: int, context: ssl.SSLContext | None = None) -> None:
        tls = context or httpx.create_ssl_context(trust_env=False)
        self._pool = ConnectionPool(PinningBackend(guard), tls, connections)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raw = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        origin = raw.url.origin
        connection = await self._pool.take(origin)
        release = partial(self._pool.release, origin, connection)
        try:
            response = await connection.handle_async_request(raw)
        except _HTTPCORE_ERRORS as error:
            await release()
            raise httpx.TransportError(type(error).__name__, request=request) from error
        except BaseException:  # cancelled too: the socket must not outlive the attempt
            await release()
            raise
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response, release),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()
