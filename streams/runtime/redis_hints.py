"""Hears which pages the commits of any process changed, and tells listeners from a thread of its own; it reads no state."""

import logging
from threading import Event, Lock, Thread
from typing import Any

import msgspec
import redis

from streams.runtime.state_store import Listener, StoreUnavailableError

_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.5
_ANSWER_SECONDS = 10.0
_AGAIN_SECONDS = 0.5
_Changed = tuple[str, int, list[str]]
_decode = msgspec.msgpack.Decoder(_Changed).decode


def encoded(processor: str, partition: int, pages: set[str]) -> bytes:
    """Return the message for a commit that changed rows of these pages."""
    return msgspec.msgpack.encode((processor, partition, sorted(pages)))


class RedisHints:
    """A subscription to ``channel`` that is made anew when it breaks; what was said meanwhile is lost."""

    def __init__(self, client: Any, channel: str) -> None:
        self._client = client
        self._channel = channel
        self._listeners: list[Listener] = []
        self._starting = Lock()
        self._stopped = Event()
        self._thread: Thread | None = None

    def listen(self, listener: Listener) -> None:
        """Begin to tell ``listener``; what is committed after the return is heard. Raises StoreUnavailableError."""
        self._listeners.append(listener)
        with self._starting:
            if self._thread is not None:
                return
            try:
                subscription = self._subscribed()
            except redis.RedisError as error:
                self._listeners.remove(listener)
                raise StoreUnavailableError(f"Redis: {error}") from error
            self._thread = Thread(target=self._hear, args=(subscription,), name="redis-hints", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Tell nobody any more."""
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

    def _hear(self, subscription: Any) -> None:
        while not self._stopped.is_set():
            try:
                if subscription is None:
                    subscription = self._subscribed()
                    _log.info("changes of other processes are heard again")
                message = subscription.get_message(ignore_subscribe_messages=True, timeout=_POLL_SECONDS)
            except redis.RedisError as error:
                _log.warning("changes of other processes are not heard: %s", error)
                if subscription is not None:
                    subscription.close()
                subscription = None
                self._stopped.wait(_AGAIN_SECONDS)
                continue
            if message is not None:
                self._tell(message["data"])
        if subscription is not None:
            subscription.close()

    def _tell(self, data: bytes) -> None:
        try:
            processor, partition, pages = _decode(data)
        except msgspec.DecodeError:
            _log.warning("a stranger writes to the channel %s", self._channel)
            return
        for listener in list(self._listeners):
            try:
                listener(processor, partition, frozenset(pages))
            except Exception:  # a fault of one listener is none of the others'
                _log.exception("a listener failed")
