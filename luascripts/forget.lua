-- forget: leaves a tombstone where a sale is missing, so that gates expect it no more.
--
-- Nobody knows which run was lost, so the tombstone has run 0: create makes the sale again in any run, with the same
-- caution as for a sale without a tombstone. It works on a full Redis too, as delete does.
--
-- KEYS  1 sale  2 ledger
-- ARGV  1 the caller's clock (see clock in the prelude)   2 who
-- reply {"forgotten", seq}
--       {"-"}  the sale is there, or its tombstone; nothing was changed

if redis.call('HGET', KEYS[1], 'run') then return {'-'} end
local now, doubt = clock(ARGV[1])
if not now then return doubt end
although_full(KEYS[1])
append(KEYS[2], 1, 1, now, 'delete', ARGV[2], {}, '0,0,0,0,0,0,0', settings_entry(0, 1, '', ''), {})
redis.call('HSET', KEYS[1], 'deleted', now, 'run', 0, 'seq', 1, 'term', 1, 'time', now, 'version', 1)
return {'forgotten', 1}
