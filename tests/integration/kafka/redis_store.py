"""A ``StateStore`` in Redis, as small as the spike needs it: one script moves position and rows in one step."""

from collections.abc import Iterable, Mapping
from typing import cast

import msgspec
import redis

from streams.log.port import TopicPartition
from streams.runtime.state_store import Row

_COMMIT = """
if (redis.call('HGET', KEYS[1], ARGV[1]) or '0') ~= ARGV[2] then return 0 end
local last = 4 + 2 * tonumber(ARGV[4])
for at = 5, last, 2 do redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1]) end
for at = last + 1, #ARGV do redis.call('HDEL', KEYS[2], ARGV[at]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""


class RedisStateStore:
    def __init__(self, port: int) -> None:
        self._redis = redis.Redis(port=port)
        self._script = self._redis.register_script(_COMMIT)

    def position(self, processor: str, place: TopicPartition) -> int:
        found = self._redis.hget(_positions(processor, place[1]), place[0])
        assert found is None or isinstance(found, bytes)
        return int(found or 0)

    def rows(self, processor: str, partition: int) -> Iterable[tuple[Row, bytes]]:
        found = cast("dict[bytes, bytes]", self._redis.hgetall(_rows(processor, partition)))
        return [(msgspec.json.decode(name, type=Row), value) for name, value in found.items()]

    def commit(
        self, processor: str, place: TopicPartition, expected: int, new: int, changed: Mapping[Row, bytes | None]
    ) -> bool:
        put = [part for row, value in changed.items() if value is not None for part in (_name(row), value)]
        gone = [_name(row) for row, value in changed.items() if value is None]
        keys = [_positions(processor, place[1]), _rows(processor, place[1])]
        return bool(self._script(keys=keys, args=[place[0], expected, new, len(put) // 2, *put, *gone]))

    def forget(self) -> None:
        self._redis.flushall()

    def close(self) -> None:
        self._redis.close()


def _name(row: Row) -> bytes:
    return msgspec.json.encode(row)


def _positions(processor: str, partition: int) -> str:
    # The braces keep both keys of a partition in one slot of a cluster: a script may touch no other.
    return f"{{{processor}/{partition}}}/positions"


def _rows(processor: str, partition: int) -> str:
    return f"{{{processor}/{partition}}}/rows"
