-- delete: removes a sale and leaves a tombstone, so that gates that knew it do not bring it back.
--
-- KEYS  1 sale  2 orders  3 buyers  4 ledger  5 due  6 gates  7 notify
-- ARGV  1 now_ms, empty in production   2 who   3 "1" to drop what is held, else empty
--       4 the seq that the sale must have, empty for any
-- reply {"deleted", seq}
--       {"-"}            no such sale, or only its tombstone
--       {"held", units}  units are held; nothing was changed
--       {"seq", seq}     the sale has another seq; nothing was changed
--
-- It works on a full Redis too, for it frees.

local fields = redis.call('HGETALL', KEYS[1])
local old = {}
for i = 1, #fields, 2 do old[fields[i]] = fields[i + 1] end
if not old.run or old.deleted then return {'-'} end
if ARGV[4] ~= '' and ARGV[4] ~= old.seq then return {'seq', tonumber(old.seq)} end
local units = held_units(fields)
if units > 0 and ARGV[3] ~= '1' then return {'held', units} end

local now, seq = clock(ARGV[1], old.time), old.seq + 1
although_full(KEYS[1])
append(KEYS[4], seq, old.term, now, 'delete', ARGV[2], {}, '0,0,0,0,0,0,0', settings_entry(old.run, old.version, '', old.settings), {})
redis.call('XTRIM', KEYS[4], 'MINID', seq .. '-0')
redis.call('DEL', KEYS[1])
redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[5], KEYS[6], KEYS[7])
redis.call('HSET', KEYS[1], 'deleted', now, 'run', old.run, 'seq', seq, 'term', old.term, 'time', now,
  'version', old.version)
return {'deleted', seq}
