"""Announces on a channel of Redis what was appended to the log, and hears what others announce."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import redis

from streams.runtime.announcements import Placed
from streams.runtime.partition_steps import Message
from streams.runtime.redis_channel import RedisChannel

_log = logging.getLogger(__name__)
_MOST_BYTES = 64 * 1024
"""Of frames in one announcement; what is larger than that is in no hurry, and Redis sends it to every worker."""
_Told = tuple[str, int, Message]
"""Topic, partition, and what lies there."""
_decode = msgspec.msgpack.Decoder(list[_Told]).decode


class RedisAnnouncements:
    """Implements ``Announcer``. ``namespace`` stands before the channel's name."""

    def __init__(self, client: "redis.Redis", namespace: str) -> None:
        self._client: Any = client
        self._channel = f"{namespace}appended"
        self._hearing: RedisChannel | None = None

    def announce(self, placed: Sequence[Placed]) -> None:
        if sum(len(message.frame) for _, message in placed) > _MOST_BYTES:
            return
        told = msgspec.msgpack.encode([(*place, message) for place, message in placed])
        try:
            self._client.publish(self._channel, told)
        except redis.RedisError as error:
            _log.debug("%s appended records are not announced: %s", len(placed), error)

    def listen(self, heard: Callable[[Sequence[Placed]], None]) -> None:
        """Begin to tell ``heard`` what is announced, in a thread of its own. Raises StoreUnavailableError."""

        def tell(data: bytes) -> None:
            try:
                told = _decode(data)
            except msgspec.DecodeError:
                _log.warning("a stranger writes to the channel %s", self._channel)
                return
            heard([((topic, partition), message) for topic, partition, message in told])

        self._hearing = RedisChannel(self._client, self._channel, "appends", tell)
        self._hearing.open()

    def close(self) -> None:
        """Hear nothing any more."""
        if self._hearing is not None:
            self._hearing.close()
