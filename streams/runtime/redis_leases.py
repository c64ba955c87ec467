"""Who of a group is alive, in Redis: a sorted set for each group, by when each lease ends. It knows nothing of senders.

Redis's own clock decides, so that the clocks of the fleet need not agree.
"""

from typing import Any

import redis

from streams.runtime.redis_memory import translated

# In microseconds; what ran out is forgotten, and a group of which nobody renews any more altogether.
_RENEW = """
local now = redis.call('TIME')
local at = now[1] * 1000000 + now[2]
redis.call('ZADD', KEYS[1], at + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', at)
redis.call('PEXPIRE', KEYS[1], math.ceil(10 * ARGV[2] / 1000))
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""


class RedisLeases:
    """Implements ``consumers.delivery.leases.Leases``. ``namespace`` stands before every key."""

    def __init__(self, client: "redis.Redis", namespace: str) -> None:
        self._client = client
        self._prefix = f"{namespace}alive/"
        self._renew: Any = client.register_script(_RENEW)

    def renew(self, group: str, worker: str, seconds: float) -> list[str]:
        with translated():
            found = self._renew(keys=[self._prefix + group], args=[worker, round(seconds * 1_000_000)])
        return sorted(name.decode() for name in found)

    def release(self, group: str, worker: str) -> None:
        with translated():
            self._client.zrem(self._prefix + group, worker)
