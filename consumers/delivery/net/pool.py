"""Keep-alive connections by origin, each used by one request at a time. It decides nothing about requests or answers.

httpcore's own pool looks at every connection for each request, in a number of steps that is the square of theirs, so
that a burst of deliveries to one slow receiver makes all that follow expensive. Its connections are used as they are.
"""

import asyncio
import ssl
import time
from typing import TypeAlias

import httpcore

Connection: TypeAlias = httpcore.AsyncHTTPConnection
_Key: TypeAlias = tuple[bytes, bytes, int]
KEEP_ALIVE = 5.0
"""Seconds for which an idle connection is kept."""


class ConnectionPool:
    """At most ``most`` connections are in use at once, and as many idle. To be used from one event loop."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend, context: ssl.SSLContext, most: int) -> None:
        self._backend = backend
        self._context = context
        self._most = most
        self._slots = asyncio.Semaphore(most)
        self._by_origin: dict[_Key, list[Connection]] = {}
        self._idle: dict[Connection, tuple[_Key, float]] = {}
        """All idle connections, the one that has been idle for longest first, and when each is given up."""

    async def take(self, origin: httpcore.Origin) -> Connection:
        """Return a connection to ``origin`` that nobody else uses, in time; it must be given back with ``release``."""
        await self._slots.acquire()
        try:
            while (connection := self._newest(_key(origin))) is not None:
                if not (connection.is_closed() or connection.has_expired()):
                    return connection
                await connection.aclose()
        except BaseException:  # cancelled too: the slot must not be lost
            self._slots.release()
            raise
        return Connection(origin, self._context, KEEP_ALIVE, network_backend=self._backend)

    async def release(self, origin: httpcore.Origin, connection: Connection) -> None:
        """Keep a connection for the next request where it can serve one, and close it elsewhere."""
        self._slots.release()
        if connection.is_idle() and not connection.is_closed():
            key = _key(origin)
            self._by_origin.setdefault(key, []).append(connection)
            self._idle[connection] = key, time.monotonic() + KEEP_ALIVE
        else:
            await connection.aclose()
        while (old := self._superfluous()) is not None:
            await old.aclose()

    async def aclose(self) -> None:
        """Close the idle connections."""
        idle = list(self._idle)
        self._idle.clear()
        self._by_origin.clear()
        for connection in idle:
            await connection.aclose()

    def _newest(self, key: _Key) -> Connection | None:
        waiting = self._by_origin.get(key)
        if not waiting:
            return None
        connection = waiting.pop()
        self._forget(connection)
        return connection

    def _superfluous(self) -> Connection | None:
        """Take out the connection that was idle for longest, if it was so for too long or there are too many."""
        for connection, (key, until) in self._idle.items():
            if until > time.monotonic() and len(self._idle) <= self._most:
                return None
            self._by_origin[key].remove(connection)
            self._forget(connection)
            return connection
        return None

    def _forget(self, connection: Connection) -> None:
        key, _ = self._idle.pop(connection)
        if not self._by_origin[key]:
            del self._by_origin[key]


def _key(origin: httpcore.Origin) -> _Key:
    return origin.scheme, origin.host, origin.port
