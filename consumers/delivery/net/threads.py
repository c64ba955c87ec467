"""Runs the calls of SDKs that block in a few threads of a channel's own, each within a bounded time. Knows no provider.

The event loop's default threads are shared by all: one provider that hangs would take them from everybody.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from consumers.delivery.outcome import InDoubt, Retry

T = TypeVar("T")


class BlockingCalls:
    """At most ``threads`` calls at once; for use in one event loop.

    ``timeout`` (seconds) is when a call is given up. Its own timeouts should end it sooner: a thread cannot be stopped, and
    one that goes on keeps its place.
    """

    def __init__(self, name: str, threads: int, timeout: float) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._slots = asyncio.Semaphore(threads)
        self._timeout = timeout

    async def run(self, call: Callable[[], T]) -> T | Retry | InDoubt:
        """Call in a thread once one is free. What is given up is in doubt, unless no thread had taken it yet."""
        async with self._slots:
            future = self._threads.submit(call)
            try:
                done, _ = await asyncio.wait([asyncio.wrap_future(future)], timeout=self._timeout)
            except asyncio.CancelledError:
                future.cancel()  # what no thread has taken yet must not be sent behind our back
                raise
            if done:
                return future.result()
            return (
                Retry("all connections are busy") if future.cancel() else InDoubt("no answer within the time allowed")
            )

    async def close(self) -> None:
        """Let the calls that are under way end; what waits is not begun."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
