"""What processes of a fleet say of themselves for a while, in Redis: a hash for each board, by who says it. It knows no meaning.

Redis's own clock decides when a word has run out, so that the clocks of the fleet need not agree.
"""

from typing import Any

import redis

from streams.runtime.redis_memory import translated

# In microseconds. A process that ended forgets to take its word back; whoever says something next clears it away.
_POST = """
local now = redis.call('TIME')
local at = now[1] * 1000000 + now[2]
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if tonumber(string.match(all[i + 1], '^%d+')) <= at then redis.call('HDEL', KEYS[1], all[i]) end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', at + ARGV[2]) .. ' ' .. ARGV[3])
redis.call('PEXPIRE', KEYS[1], math.ceil(10 * ARGV[2] / 1000))
"""
_READ = """
local now = redis.call('TIME')
local at = now[1] * 1000000 + now[2]
local found = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local until_at, text = string.match(all[i + 1], '^(%d+) (.*)$')
  if tonumber(until_at) > at then found[#found + 1] = all[i]; found[#found + 1] = text end
end
return found
"""


class RedisBulletins:
    """Implements ``consumers.delivery.fleet_conditions.Bulletins``. ``namespace`` stands before every key."""

    def __init__(self, client: "redis.Redis", namespace: str) -> None:
        self._client = client
        self._prefix = f"{namespace}said/"
        self._post: Any = client.register_script(_POST)
        self._read: Any = client.register_script(_READ)

    def post(self, board: str, who: str, text: bytes, seconds: float) -> None:
        with translated():
            self._post(keys=[self._prefix + board], args=[who, round(seconds * 1_000_000), text])

    def remove(self, board: str, who: str) -> None:
        with translated():
            self._client.hdel(self._prefix + board, who)

    def read(self, board: str) -> dict[str, bytes]:
        with translated():
            found = self._read(keys=[self._prefix + board])
        return {who.decode(): text for who, text in zip(found[::2], found[1::2], strict=True)}
