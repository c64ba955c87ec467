"""Notes in Redis what intakes append to alert instances: see ``fleet_instances``. It knows no alert."""

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

import redis

from streams.runtime.fleet_instances import Newest
from streams.runtime.redis_memory import translated

KEPT = timedelta(hours=1)
"""How long a note is kept: as long as a fold may lag without an outdated state being believed."""
LOST = timedelta(minutes=1)
"""After this a flight that did not land is taken for lost with its process; an append gives up long before."""
_OFFSET = "offset"
# Several intakes land in any order: the highest offset counts.
_LAND = """
for at, key in ipairs(KEYS) do
  local known = redis.call('HGET', key, 'offset')
  if not known or tonumber(known) < tonumber(ARGV[at + 2]) then redis.call('HSET', key, 'offset', ARGV[at + 2]) end
  redis.call('HDEL', key, ARGV[1])
  redis.call('EXPIRE', key, ARGV[2])
end
"""


class RedisDepartures:
    """Implements ``Departures``: a hash for each instance, with the last offset and the flights under way."""

    def __init__(self, client: "redis.Redis", namespace: str) -> None:
        self._client = client
        self._prefix = f"{namespace}departures/"
        self._land: Any = client.register_script(_LAND)

    def enter(self, flight: str, keys: Collection[str]) -> None:
        now = int(time.time())
        with translated(), self._client.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.hset(self._name(key), flight, str(now))
                pipeline.expire(self._name(key), KEPT)
            pipeline.execute()

    def land(self, flights: Mapping[str, Mapping[str, int]]) -> None:
        kept = int(KEPT.total_seconds())
        with translated(), self._client.pipeline(transaction=False) as pipeline:
            for flight, offsets in flights.items():
                names = [self._name(key) for key in offsets]
                self._land(keys=names, args=[flight, kept, *offsets.values()], client=pipeline)
            pipeline.execute()

    def newest(self, keys: Sequence[str]) -> dict[str, Newest]:
        with translated(), self._client.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.hgetall(self._name(key))
            answers: list[dict[bytes, bytes]] = pipeline.execute()
        since = time.time() - LOST.total_seconds()
        return {key: _newest(noted, since) for key, noted in zip(keys, answers, strict=True) if noted}

    def _name(self, key: str) -> str:
        return f"{self._prefix}{key}"


def _newest(noted: Mapping[bytes, bytes], since: float) -> Newest:
    offset = int(noted.get(_OFFSET.encode(), -1))
    leaving = any(name != _OFFSET.encode() and int(begun) > since for name, begun in noted.items())
    return Newest(leaving, offset)
