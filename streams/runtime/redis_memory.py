"""Remembers commands in Redis, so that a repeat under one key is one event in the whole fleet. It appends nothing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import msgspec
import redis

from streams.log.port import Record
from streams.runtime.remembering import Known
from streams.runtime.state_store import StoreUnavailableError

KEPT = timedelta(days=7)
"""How long a command's Idempotency-Key is known."""
_decoder = msgspec.msgpack.Decoder(Known)


class RedisMemory:
    """Implements ``streams.runtime.remembering.EventMemory``. ``namespace`` stands before every key."""

    def __init__(self, client: "redis.Redis", namespace: str, kept: timedelta = KEPT) -> None:
        self._client = client
        self._prefix = f"{namespace}event/"
        self._kept = kept

    def first(self, records: Sequence[Record]) -> list[Known | None]:
        with translated(), self._client.pipeline(transaction=False) as pipeline:
            for record in records:
                name = self._name(record.id)
                pipeline.set(name, msgspec.msgpack.encode(Known(record)), nx=True, ex=self._kept)
                pipeline.get(name)
            answers: list[Any] = pipeline.execute()
        pairs = zip(answers[::2], answers[1::2], strict=True)
        # What expired between the two commands is as good as new.
        return [None if new or value is None else _decoder.decode(value) for new, value in pairs]

    def placed(self, places: Mapping[str, Known]) -> None:
        with translated(), self._client.pipeline(transaction=False) as pipeline:
            for event_id, known in places.items():
                pipeline.set(self._name(event_id), msgspec.msgpack.encode(known), ex=self._kept)
            pipeline.execute()

    def find(self, event_id: str) -> Known | None:
        with translated():
            value: Any = self._client.get(self._name(event_id))
        return None if value is None else _decoder.decode(value)

    def _name(self, event_id: str) -> str:
        return f"{self._prefix}{event_id}"


@contextmanager
def translated() -> Iterator[None]:
    """Turn whatever redis-py raises into the port's error; a message of the server's may quote what was sent."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise StoreUnavailableError(f"Redis: {type(error).__name__}") from error
