-- delete: removes a sale and leaves a tombstone, so that gates that knew it do not bring it back.
--
-- KEYS  1 sale  2 orders  3 buyers  4 ledger  5 due  6 gates  7 notify  8 owed  9 again  10 hastened  11 alone
--       12 strangers  13 refunds  14 aside  15 faults  16 reconcile  17 disputes
-- ARGV  1 the caller's clock (see clock in the prelude)   2 who   3 what may be lost with it (see loss)
-- reply {"deleted", seq}
--       {"-"}        no such sale, or only its tombstone
--       {"lost", …}  more would be lost than may be (see named in loss); nothing was changed
--
-- It works on a full Redis too, because it frees memory.

local fields = redis.call('HGETALL', KEYS[1])
local old = {}
for i = 1, #fields, 2 do old[fields[i]] = fields[i + 1] end
if not old.run or old.deleted then return {'-'} end
local now, doubt = clock(ARGV[1], old.time)
if not now then return doubt end
local seq = old.seq + 1
local lost = losses(old, now, KEYS[4], KEYS[7])
if not agreed(lost, ARGV[3]) then return named('lost', lost) end

although_full(KEYS[1])
append(KEYS[4], seq, old.term, now, 'delete', ARGV[2], {}, '0,0,0,0,0,0,0', settings_entry(old.run, old.version, '', old.settings), {})
redis.call('XTRIM', KEYS[4], 'MINID', whole(seq) .. '-0')
redis.call('DEL', KEYS[1])
redis.call('UNLINK', KEYS[2], KEYS[3], unpack(KEYS, 5))
redis.call('HSET', KEYS[1], 'deleted', now, 'run', old.run, 'seq', seq, 'term', old.term, 'time', now,
  'version', old.version)
return {'deleted', seq}
