-- configure: replaces a sale's settings, safe in the middle of the sale.
--
-- KEYS  1 sale  2 ledger
-- ARGV  1 the caller's clock (see clock in the prelude)   2 who   3 kind, for the ledger: "apply", "pause" or "resume"
--       4 version of the settings that the caller read
--       5 opens_ms  6 closes_ms  7 hold_ms  8 per_buyer  9 paused ("1" or "0")  10 the brake on refunds is off (the
--       same): that releases it   11 settings (JSON)
--       then SKU, stock, SKU, stock, …: all of them
-- reply {"done", seq, version}
--       {"-"}                     no such sale, or only its tombstone
--       {"version", version}      the settings have changed since they were read
--       {"below", SKU, counters}  the stock is less than what is held, paid or withheld
--       {"used", SKU, counters}   a SKU that is to go is held, paid or withheld
--       counters are "total,left,held,paid,withheld"; only "done" changed anything
--
-- A full Redis refuses only what adds stock or a SKU: pausing and lowering must be possible then too.

local fields = redis.call('HGETALL', KEYS[1])
local old = {}
for i = 1, #fields, 2 do old[fields[i]] = fields[i + 1] end
if not old.run or old.deleted then return {'-'} end
if ARGV[4] ~= old.version then return {'version', tonumber(old.version)} end

local counters, updates, kept, adds = {}, {}, {}, false
for i = 12, #ARGV, 2 do
  local name, stock = 'sku:' .. ARGV[i], tonumber(ARGV[i + 1])
  local total, left, rest = string.match(old[name] or '0,0,0,0,0', '^(%d+),(-?%d+),(.*)$')
  local more = stock - total
  if more < 0 and left + more < 0 then return {'below', ARGV[i], old[name]} end
  kept[name], adds = true, adds or more > 0 or not old[name]
  if more ~= 0 or not old[name] then
    local value = join({stock, left + more, rest}, ',')
    counters[#counters + 1] = ARGV[i] .. ':' .. value
    updates[#updates + 1] = name
    updates[#updates + 1] = value
  end
end
local gone = {}
for name, value in pairs(old) do
  if string.sub(name, 1, 4) == 'sku:' and not kept[name] then
    local total, left = string.match(value, '^(%d+),(-?%d+),')
    if total ~= left then return {'used', string.sub(name, 5), value} end
    gone[#gone + 1] = name
  end
end

local now, doubt = clock(ARGV[1], old.time)
if not now then return doubt end
local seq, version = old.seq + 1, old.version + 1
if not adds then although_full(KEYS[1]) end
append(KEYS[2], seq, old.term, now, ARGV[3], ARGV[2], counters, old.orders,
  settings_entry(old.run, version, ARGV[11], old.settings), {})
if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone)) end
redis.call('HSET', KEYS[1], 'seq', seq, 'time', now, 'version', version, 'settings', ARGV[11], 'opens', ARGV[5],
  'closes', ARGV[6], 'hold', ARGV[7], 'per_buyer', ARGV[8], 'paused', ARGV[9], unpack(updates))
if ARGV[10] == '1' then
  redis.call('HDEL', KEYS[1], 'brake', 'brake_count')
  redis.call('HSET', KEYS[1], 'brake_off', '1')
else
  redis.call('HDEL', KEYS[1], 'brake_off')
end
return {'done', seq, version}
