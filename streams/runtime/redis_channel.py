"""Hears what is published on one channel of Redis, in a thread of its own; it knows no meaning."""

import logging
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Any

import redis

from streams.runtime.state_store import StoreUnavailableError

_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.5
_ANSWER_SECONDS = 10.0
_AGAIN_SECONDS = 0.5


class RedisChannel:
    """A subscription that is made anew when it breaks; what was said meanwhile is lost.

    ``hear`` is called with each message in that thread, and must not raise. ``what`` names the news in the log.
    """

    def __init__(self, client: Any, channel: str, what: str, hear: Callable[[bytes], None]) -> None:
        self._client = client
        self._channel = channel
        self._what = what
        self._hear = hear
        self._starting = Lock()
        self._stopped = Event()
        self._thread: Thread | None = None

    def open(self) -> None:
        """Begin to hear; what is said after the return is heard. Again it does nothing. Raises StoreUnavailableError."""
        with self._starting:
            if self._thread is not None:
                return
            try:
                subscription = self._subscribed()
            except redis.RedisError as error:
                raise StoreUnavailableError(f"Redis: {error}") from error
            self._thread = Thread(target=self._listen, args=(subscription,), name=f"hears {self._what}", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Hear nothing any more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _subscribed(self) -> Any:
        subscription = self._client.pubsub()
        try:
            subscription.subscribe(self._channel)
            # With the answer to the subscription begins what is heard.
            if subscription.get_message(timeout=_ANSWER_SECONDS) is None:
                raise redis.TimeoutError("a subscription was not answered")
        except redis.RedisError:
            subscription.close()
            raise
        return subscription

    def _listen(self, subscription: Any) -> None:
        while not self._stopped.is_set():
            try:
                if subscription is None:
                    subscription = self._subscribed()
                    _log.info("%s of other processes are heard again", self._what)
                message = subscription.get_message(ignore_subscribe_messages=True, timeout=_POLL_SECONDS)
            except redis.RedisError as error:
                _log.warning("%s of other processes are not heard: %s", self._what, error)
                if subscription is not None:
                    subscription.close()
                subscription = None
                self._stopped.wait(_AGAIN_SECONDS)
                continue
            if message is not None:
                self._hear(message["data"])
        if subscription is not None:
            subscription.close()
