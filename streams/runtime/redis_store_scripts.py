"""The scripts that Redis runs in one step for ``redis_store``; they know keys and numbers, no processor and no event.

All keys of a script share what stands before their last part; the last part (``rows/TABLE/PAGE``, ``ranks/RANKING``,
``wishes``, ``origins``, ``positions``) says what is in a key. The hash ``index`` has the size of each of them, so that what
Redis lost without being told (an eviction, a key deleted by hand) is found.
"""

_SIZES = """
local start = #KEYS[1] - #'positions' + 1
local function size(key)
  local part = string.sub(key, start)
  if part == 'wishes' or string.sub(part, 1, 6) == 'ranks/' then return redis.call('ZCARD', key) end
  return redis.call('HLEN', key)
end
"""

COMMIT = (
    _SIZES
    + """
-- KEYS: positions, index, then the keys that change; one may be named several times.
-- ARGV: topic, expected, new, channel, message, how many other topics are named with their positions, and these; then
-- for each changing key: how many values put it (field and value, or score and member), how many names are to go, and
-- these values and names.
if (redis.call('HGET', KEYS[1], ARGV[1]) or '0') ~= ARGV[2] then return 0 end
local beside = 6 + 2 * tonumber(ARGV[6])
for at = 7, beside, 2 do
  if (redis.call('HGET', KEYS[1], ARGV[at]) or '0') ~= ARGV[at + 1] then return 0 end
end
-- All is looked at before anything is written: Redis does not take back what a script wrote.
for at = 1, #KEYS do
  if at ~= 2 and tostring(size(KEYS[at])) ~= (redis.call('HGET', KEYS[2], string.sub(KEYS[at], start)) or '0') then
    return string.sub(KEYS[at], start)
  end
end
local function note(key)
  local now, part = size(key), string.sub(key, start)
  if now == 0 then redis.call('HDEL', KEYS[2], part) else redis.call('HSET', KEYS[2], part, now) end
end
local at, most = beside + 1, 4000  -- Lua's stack takes 8,000
local function each(command, key, first, last)
  for from = first, last, most do redis.call(command, key, unpack(ARGV, from, math.min(from + most - 1, last))) end
end
for number = 3, #KEYS do
  local key = KEYS[number]
  local part = string.sub(key, start)
  local sorted = part == 'wishes' or string.sub(part, 1, 6) == 'ranks/'
  local put = at + 1 + tonumber(ARGV[at])
  local gone = put + tonumber(ARGV[at + 1])
  each(sorted and 'ZADD' or 'HSET', key, at + 2, put)
  each(sorted and 'ZREM' or 'HDEL', key, put + 1, gone)
  at = gone + 1
  note(key)
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
note(KEYS[1])
if ARGV[5] ~= '' then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
return 1
"""
)
"""1: written; 0: a position is another; a string: the last part of a key whose size is not what was noted."""

HELD = (
    _SIZES
    + """
-- KEYS: positions, index. ARGV: the tables whose rows are wanted as well.
local before = string.sub(KEYS[1], 1, start - 1)
local index, sizes, rows = redis.call('HGETALL', KEYS[2]), {}, {}
for at = 1, #index, 2 do sizes[index[at]] = index[at + 1] end
for part, noted in pairs(sizes) do
  if tostring(size(before .. part)) ~= noted then return part end
  for _, table in ipairs(ARGV) do
    if string.sub(part, 1, 6 + #table) == 'rows/' .. table .. '/' then
      rows[#rows + 1] = {part, redis.call('HGETALL', before .. part)}
    end
  end
end
for _, part in ipairs({'positions', 'wishes', 'origins'}) do
  if sizes[part] == nil and redis.call('EXISTS', before .. part) == 1 then return part end
end
return {
  redis.call('HGETALL', KEYS[1]),
  redis.call('ZRANGE', before .. 'wishes', 0, -1, 'WITHSCORES'),
  redis.call('HGETALL', before .. 'origins'),
  rows,
}
"""
)
"""Positions, wishes, origins and rows; or a string, as in COMMIT."""
