"""An event loop in a thread of its own, for fake servers that sync tests use too."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for other threads until it is stopped; whatever still runs then is cancelled."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        for task in (tasks := asyncio.all_tasks(self.loop)):
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` in the loop and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=30)

    def stop(self) -> None:
        """End the loop and its thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=30)


class Arrivals:
    """Things that arrive in one thread and are waited for in another."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()

    def announce(self) -> None:
        """Wake those who wait."""
        with self._arrived:
            self._arrived.notify_all()

    def wait(self, ready: Any, timeout: float) -> bool:
        """Wait until ``ready()`` holds; False if it does not within ``timeout`` seconds."""
        with self._arrived:
            return bool(self._arrived.wait_for(ready, timeout))
