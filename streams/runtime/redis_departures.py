"""Notes in Redis what intakes append to alert instances: see ``fleet_instances``. It reads no alert."""

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

import redis

from schemas.topics import ALERTS, partition_of
from streams.domain.episodes import EPISODES, INSTANCES
from streams.runtime.fleet_instances import Glance, Landed, Newest, log_key
from streams.runtime.redis_memory import translated
from streams.runtime.redis_store import pairs_of, rows_part, state_key

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

_GLANCE = """
-- KEYS: positions, rows, then the notes of each instance. ARGV: the topic, then the instances' keys.
local notes = {}
for at = 3, #KEYS do notes[at - 2] = redis.call('HGETALL', KEYS[at]) end
return {redis.call('HGET', KEYS[1], ARGV[1]), redis.call('HMGET', KEYS[2], unpack(ARGV, 2)), notes}
"""
_AT_ONCE = 1_000
"""Instances that one question asks for: Redis does nothing else meanwhile."""


class RedisDepartures:
    """Implements ``Departures`` and ``Glances``: a hash for each instance, with the last offset and the flights under way.

    Who looks at instances looks at what ``redis_store`` has of them as well, with the same question.
    """

    def __init__(self, client: "redis.Redis", namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._land: Any = client.register_script(_LAND)
        self._glance: Any = client.register_script(_GLANCE)

    def enter(self, flight: str, keys: Collection[str], landed: Landed | None = None) -> None:
        now = int(time.time())
        with translated(), self._client.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.hset(self._name(key), flight, str(now))
                pipeline.expire(self._name(key), KEPT)
            self._add(pipeline, landed or {})
            pipeline.execute()

    def land(self, flights: Landed) -> None:
        with translated(), self._client.pipeline(transaction=False) as pipeline:
            self._add(pipeline, flights)
            pipeline.execute()

    def _add(self, pipeline: Any, flights: Landed) -> None:
        kept = int(KEPT.total_seconds())
        for flight, offsets in flights.items():
            names = [self._name(key) for key in offsets]
            self._land(keys=names, args=[flight, kept, *offsets.values()], client=pipeline)

    def glance(self, page: str, partition: int, keys: Sequence[str]) -> Glance:
        newest: dict[str, Newest] = {}
        rows: dict[str, bytes] = {}
        folded = 0
        since = time.time() - LOST.total_seconds()
        for some in (keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE)):
            state = (self._state(partition, "positions"), self._state(partition, rows_part(INSTANCES, page)))
            names = [self._name(log_key(page, key)) for key in some]
            with translated():
                position, found, notes = self._glance(keys=[*state, *names], args=[ALERTS.name, *some])
            folded = int(position or 0)
            rows |= {key: row for key, row in zip(some, found, strict=True) if row is not None}
            newest |= {key: _newest(dict(pairs_of(flat)), since) for key, flat in zip(some, notes, strict=True) if flat}
        return Glance(newest, folded, rows)

    def _state(self, partition: int, part: str) -> str:
        return state_key(self._namespace, EPISODES.name, partition, part)

    def _name(self, key: str) -> str:
        # In the slot of the state that is looked at together with it, where Redis is a cluster.
        return f"{self._namespace}departures/{{{EPISODES.name}/{partition_of(key, ALERTS.partitions)}}}/{key}"


def _newest(noted: Mapping[bytes, bytes], since: float) -> Newest:
    offset = int(noted.get(_OFFSET.encode(), -1))
    leaving = any(name != _OFFSET.encode() and int(begun) > since for name, begun in noted.items())
    return Newest(leaving, offset)
