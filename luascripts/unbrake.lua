-- unbrake: releases the brake on a sale's refunds when a person says so, and starts the count again.
--
-- As many refunds as the person has seen waiting go uncounted for a while: otherwise they would pull the brake again at
-- once. It works on a full Redis too: it frees more than it takes.
--
-- KEYS  1 sale  2 ledger
-- ARGV  1 the caller's clock (see clock in the prelude)   2 who   3 how many may go uncounted   4 for how many ms
-- reply {"done", seq}
--       {"none"}  the brake does not hold; nothing was written
--       {"-"}     no such sale, or only its tombstone

local head = redis.call('HMGET', KEYS[1], 'run', 'seq', 'term', 'time', 'orders', 'deleted', 'brake')
if not head[1] or head[6] then return {'-'} end
if not head[7] then return {'none'} end
local now, doubt = clock(ARGV[1], head[4])
if not now then return doubt end
local seq = head[2] + 1
although_full(KEYS[1])
append(KEYS[2], seq, head[3], now, 'go-on', ARGV[2], {}, head[5], '', {})
redis.call('HDEL', KEYS[1], 'brake')
redis.call('HSET', KEYS[1], 'seq', seq, 'time', now, 'brake_count', join({'', 0, ARGV[3], now + ARGV[4], ''}, SEP))
return {'done', seq}
