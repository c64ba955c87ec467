"""Hears which pages the commits of any process changed, and tells listeners from a thread of its own; it reads no state."""

import logging
from typing import Any

import msgspec

from streams.runtime.redis_channel import RedisChannel
from streams.runtime.state_store import Listener, StoreUnavailableError

_log = logging.getLogger(__name__)
_Changed = tuple[str, int, list[str]]
_decode = msgspec.msgpack.Decoder(_Changed).decode


def encoded(processor: str, partition: int, pages: set[str]) -> bytes:
    """Return the message for a commit that changed rows of these pages."""
    return msgspec.msgpack.encode((processor, partition, sorted(pages)))


class RedisHints:
    """Tells listeners what is said on ``channel``; what is said while Redis is away is lost."""

    def __init__(self, client: Any, channel: str) -> None:
        self._channel = RedisChannel(client, channel, "changes", self._tell)
        self._name = channel
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Begin to tell ``listener``; what is committed after the return is heard. Raises StoreUnavailableError."""
        self._listeners.append(listener)
        try:
            self._channel.open()
        except StoreUnavailableError:
            self._listeners.remove(listener)
            raise

    def close(self) -> None:
        """Tell nobody any more."""
        self._channel.close()

    def _tell(self, data: bytes) -> None:
        try:
            processor, partition, pages = _decode(data)
        except msgspec.DecodeError:
            _log.warning("a stranger writes to the channel %s", self._name)
            return
        for listener in list(self._listeners):
            try:
                listener(processor, partition, frozenset(pages))
            except Exception:  # a fault of one listener is none of the others'
                _log.exception("a listener failed")
