-- create: makes a sale, or starts an existing one afresh in a higher run.
--
-- KEYS  1 sale  2 orders  3 buyers  4 ledger  5 due  6 gates  7 notify  8 owed  9 again  10 hastened  11 alone
--       12 strangers  13 refunds  14 aside  15 faults  16 reconcile  17 disputes
-- ARGV  1 the caller's clock (see clock in the prelude)   2 who   3 run   4 what may be lost with the lower run (see loss)
--       5 "1" to make it even if its window has begun and no run of it is known, else empty
--       6 opens_ms  7 closes_ms  8 hold_ms  9 per_buyer  10 paused ("1" or "0")
--       11 the brake on refunds is off ("1" or "0")  12 settings (JSON)
--       then SKU, stock, SKU, stock, …
-- reply {"created", seq}
--       {"exists", run}   the sale is there, in this run or a higher one
--       {"deleted", run}  only a tombstone is there, of this run or a higher one
--       {"lost", …}       more would be lost with the lower run than may be (see named in loss); nothing was changed
--       {"open", now_ms}  its window has begun, or is over, and no run of it is known: it may have been sold, and its
--                         data lost. Nothing was changed

local fields = redis.call('HGETALL', KEYS[1])
local old = {}
for i = 1, #fields, 2 do old[fields[i]] = fields[i + 1] end
local now, doubt = clock(ARGV[1], old.time)
if not now then return doubt end
if old.run then
  if tonumber(ARGV[3]) <= tonumber(old.run) then return {old.deleted and 'deleted' or 'exists', tonumber(old.run)} end
  local lost = not old.deleted and losses(old, now, KEYS[4], KEYS[7])
  if lost and not agreed(lost, ARGV[4]) then return named('lost', lost) end
end

local seq, term = (old.seq or 0) + 1, old.term or 1
-- A tombstone of run 0 is of a sale that was missing when it was deleted; see forget.lua.
if tonumber(old.run or 0) == 0 and ARGV[5] ~= '1' and now >= tonumber(ARGV[6]) then return {'open', now} end
local version = (old.version or 0) + 1 -- goes on over runs, so that settings read in one never count in another
local orders, counters = '0,0,0,0,0,0,0', {}
local new = {'run', ARGV[3], 'seq', seq, 'term', term, 'server', old.server or '', 'fence', '', 'time', now,
  'version', version, 'settings', ARGV[12], 'opens', ARGV[6], 'closes', ARGV[7], 'hold', ARGV[8], 'per_buyer', ARGV[9],
  'paused', ARGV[10], 'orders', orders}
if ARGV[11] == '1' then new[#new + 1], new[#new + 2] = 'brake_off', '1' end
for i = 13, #ARGV, 2 do
  local value = ARGV[i + 1] .. ',' .. ARGV[i + 1] .. ',0,0,0'
  counters[#counters + 1] = ARGV[i] .. ':' .. value
  new[#new + 1] = 'sku:' .. ARGV[i]
  new[#new + 1] = value
end
append(KEYS[4], seq, term, now, 'create', ARGV[2], counters, orders, settings_entry(ARGV[3], version, ARGV[12], old.settings), {})
redis.call('XTRIM', KEYS[4], 'MINID', whole(seq) .. '-0')
redis.call('DEL', KEYS[1])
redis.call('UNLINK', KEYS[2], KEYS[3], unpack(KEYS, 5))
redis.call('HSET', KEYS[1], unpack(new))
return {'created', seq}
