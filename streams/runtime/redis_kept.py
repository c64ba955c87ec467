"""Keeps bytes in Redis, beside the state. What is large goes in pieces, so that Redis serves others in between."""

from datetime import timedelta
from typing import Any

import msgspec
import redis

from schemas.ids import random_id
from streams.runtime.redis_memory import translated

KEPT = timedelta(days=90)
"""How long it is kept at the most; a piece that nobody points at goes then, too."""
_PIECE = 1 << 20


class _Head(msgspec.Struct, frozen=True):
    """What is kept now: in how many pieces, under which name of its own, and the note."""

    own: str
    pieces: int
    note: bytes


class RedisKept:
    """Implements ``streams.runtime.kept.KeptBytes``. ``namespace`` stands before every key."""

    def __init__(self, client: "redis.Redis", namespace: str, *, piece: int = _PIECE) -> None:
        self._client: Any = client
        self._prefix = f"{namespace}kept/"
        self._piece = piece

    def note(self, name: str) -> bytes | None:
        head = self._head(name)
        return None if head is None else head.note

    def read(self, name: str) -> bytes | None:
        head = self._head(name)
        if head is None:
            return None
        with translated():
            pieces = [self._client.get(self._key(name, head, number)) for number in range(head.pieces)]
        return None if None in pieces else b"".join(pieces)

    def write(self, name: str, note: bytes, data: bytes) -> None:
        before = self._head(name)
        pieces = [data[start : start + self._piece] for start in range(0, len(data), self._piece)]
        head = _Head(random_id(), len(pieces), note)
        with translated():
            for number, piece in enumerate(pieces):
                self._client.set(self._key(name, head, number), piece, ex=KEPT)
            self._client.set(self._prefix + name, msgspec.msgpack.encode(head), ex=KEPT)
            if before is not None and before.pieces:
                self._client.unlink(*(self._key(name, before, number) for number in range(before.pieces)))

    def _head(self, name: str) -> _Head | None:
        with translated():
            value = self._client.get(self._prefix + name)
        return None if value is None else msgspec.msgpack.decode(value, type=_Head)

    def _key(self, name: str, head: _Head, number: int) -> str:
        return f"{self._prefix}{name}/{head.own}/{number}"
