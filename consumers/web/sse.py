"""Open browsers are told that the page changed, and nothing more: they fetch what they show. Server-sent events.

A browser that is slow, or was away, hears of the newest version only. https://html.spec.whatwg.org/#server-sent-events
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from streams.domain.model import PageView
from streams.runtime.metrics import Metrics
from streams.runtime.problems import overloaded

RETRY = timedelta(seconds=3)
HEARTBEAT = timedelta(seconds=15)
PAUSE = timedelta(seconds=1.5)
"""Between two events to one browser: a storm of changes is neither a storm of events nor of requests."""
MOST_CLIENTS = 5_000


class Changing(Protocol):
    """The part of the status board that says when a page changed."""

    def view(self, page: str) -> PageView | None:
        """Return the newest picture of a page."""

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call ``listener`` with a page's id after each change, from another thread."""


class ChangeStream:
    """Tells any number of browsers, up to a bound, of the newest version. To be used from one event loop."""

    def __init__(
        self,
        board: Changing,
        metrics: Metrics,
        *,
        most: int = MOST_CLIENTS,
        heartbeat: timedelta = HEARTBEAT,
        pause: timedelta = PAUSE,
    ) -> None:
        self._board = board
        self._metrics = metrics
        self._most = most
        self._heartbeat = heartbeat.total_seconds()
        self._pause = pause.total_seconds()
        self._clients = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self._closed = asyncio.Event()
        board.listen(lambda _: self._from_another_thread(self._wake))

    def close(self) -> None:
        """End all streams: to be called from the loop before the server waits for its connections to end."""
        self._closed.set()
        self._wake()

    def close_from_another_thread(self) -> None:
        """Do the same from outside the loop."""
        self._from_another_thread(self.close)

    def open(self, page: str, last: str | None) -> "EventStream":
        """Return the response of one browser that has seen version ``last``; raises ProblemError 503 beyond the bound."""
        self._loop = asyncio.get_running_loop()
        if self._clients >= self._most or self._closed.is_set():
            raise overloaded("too many browsers listen")
        return EventStream(self, page, last)

    async def events(self, page: str, last: str | None) -> AsyncIterator[bytes]:
        """Yield the stream: what is missed at once, then each change, and a comment while nothing happens."""
        told = last if last is not None else self._version(page)
        yield format_sse_event(retry=int(RETRY.total_seconds() * 1000), comment="the page's changes")
        while not self._closed.is_set():
            changed = self._changed
            if (version := self._version(page)) != told:
                told = version
                # An event without data is not dispatched.
                yield format_sse_event(event="changed", data_str=version, id=version)
                await _happens(self._closed, self._pause)
            elif not await _happens(changed, self._heartbeat):
                yield KEEPALIVE_COMMENT

    def _version(self, page: str) -> str:
        """Return the version as an id that is not met again after a restart, when counting begins anew."""
        view = self._board.view(page)
        return "" if view is None else f"{view.version}.{view.updated_at}"

    def _from_another_thread(self, action: Callable[[], None]) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            return  # nobody ever listened, or nobody does any more
        with suppress(RuntimeError):  # the loop may end at this very moment, and its browsers with it
            loop.call_soon_threadsafe(action)

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def count(self, step: int) -> None:
        """Count a browser that comes (1) or goes (-1)."""
        self._clients += step
        self._metrics.stream_clients.set(self._clients)


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event; False when it did not happen in time."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


class EventStream(StreamingResponse):
    """The response of one browser."""

    media_type = "text/event-stream"

    def __init__(self, stream: ChangeStream, page: str, last: str | None) -> None:
        # Proxies must neither keep nor gather what is sent here.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(stream.events(page, last), headers=headers)
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._stream.count(1)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._stream.count(-1)
