"""What the key store does in Redis in one step each, as Lua; ``redis_keys`` says what the steps mean.

KEYS: the name of the current generation; the generation's rows (owner -> ``streams.keys.topic.row_of``), its lookups
(hash -> packed owners), its unsettled decisions (owner -> ``add`` or ``erase``); for ``fill`` and ``filled`` also how
many pieces were filled, and who fills. ARGV[1] is the generation that the caller believes in, or fills.
"""

_ROWS = """
local function found_by(row)
  local lookup = string.sub(row, string.byte(row) + 2)
  if lookup ~= '' then return lookup end
end
local function forget(rows, lookups, owner)
  local row = redis.call('HGET', rows, owner)
  if not row then return end
  redis.call('HDEL', rows, owner)
  local lookup = found_by(row)
  local packed = lookup and redis.call('HGET', lookups, lookup)
  if not packed then return end
  local left = {}
  for _, other in ipairs(cmsgpack.unpack(packed)) do
    if other ~= owner then left[#left + 1] = other end
  end
  if #left == 0 then redis.call('HDEL', lookups, lookup)
  else redis.call('HSET', lookups, lookup, cmsgpack.pack(left)) end
end
local function keep(rows, lookups, owner, row)
  forget(rows, lookups, owner)
  redis.call('HSET', rows, owner, row)
  local lookup = found_by(row)
  if not lookup then return end
  local packed = redis.call('HGET', lookups, lookup)
  local owners = packed and cmsgpack.unpack(packed) or {}
  owners[#owners + 1] = owner
  redis.call('HSET', lookups, lookup, cmsgpack.pack(owners))
end
"""
_GUARD = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'stale' end\n"
_WANTED = """
local function wanted()
  if redis.call('HGET', KEYS[4], ARGV[2]) == 'erase' then return '' end
  return redis.call('HGET', KEYS[2], ARGV[2]) or ''
end
"""

_GET = "return redis.call('HGET', KEYS[2], ARGV[2])"
_GET_ALL = "return redis.call('HMGET', KEYS[2], unpack(ARGV, 2))"
_FIND = "return redis.call('HGET', KEYS[3], ARGV[2])"
_UNSETTLED = "return redis.call('HEXISTS', KEYS[4], ARGV[2])"
_ADD = """
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then
  keep(KEYS[2], KEYS[3], ARGV[2], ARGV[3])
  redis.call('HSET', KEYS[4], ARGV[2], 'add')
end
return redis.call('HEXISTS', KEYS[4], ARGV[2])
"""
# The row stays until the topic has the tombstone: an erasure that could not be written can be asked for again.
_ERASE = """
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1 then redis.call('HSET', KEYS[4], ARGV[2], 'erase') end
return redis.call('HEXISTS', KEYS[4], ARGV[2])
"""
# Where something else was written than is wanted by now, it must be written over, by whoever comes to it first.
_SETTLED = """
if wanted() ~= ARGV[3] then
  local what = redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1 and 'add' or 'erase'
  redis.call('HSETNX', KEYS[4], ARGV[2], what)
  return 0
end
if redis.call('HGET', KEYS[4], ARGV[2]) == 'erase' then forget(KEYS[2], KEYS[3], ARGV[2]) end
redis.call('HDEL', KEYS[4], ARGV[2])
return 1
"""
# A generation that nobody finishes vanishes by itself; one that vanished half filled must not be gone on with.
_FILL = """
if tonumber(redis.call('GET', KEYS[5]) or '0') ~= tonumber(ARGV[3]) then return 0 end
for at = 4, #ARGV, 2 do
  if ARGV[at + 1] == '' then forget(KEYS[2], KEYS[3], ARGV[at])
  else keep(KEYS[2], KEYS[3], ARGV[at], ARGV[at + 1]) end
end
redis.call('INCR', KEYS[5])
for _, at in ipairs({2, 3, 5, 6}) do redis.call('EXPIRE', KEYS[at], ARGV[2]) end
return 1
"""
_FILLED = """
local whole = tonumber(redis.call('GET', KEYS[5]) or '0') == tonumber(ARGV[3])
redis.call('DEL', KEYS[5], KEYS[6])
if not whole or (redis.call('GET', KEYS[1]) or '') ~= ARGV[2] then
  redis.call('DEL', KEYS[2], KEYS[3])
  return 0
end
redis.call('PERSIST', KEYS[2])
redis.call('PERSIST', KEYS[3])
redis.call('SET', KEYS[1], ARGV[1])
return 1
"""

ALL = {
    "get": _GUARD + _GET,
    "get_all": _GUARD + _GET_ALL,
    "find": _GUARD + _FIND,
    "unsettled": _GUARD + _UNSETTLED,
    "add": _GUARD + _ROWS + _ADD,
    "erase": _GUARD + _ERASE,
    "wanted": _GUARD + _WANTED + "return wanted()",
    "settled": _GUARD + _ROWS + _WANTED + _SETTLED,
    "fill": _ROWS + _FILL,
    "filled": _FILLED,
}
