-- note: writes what is known of the refunds that an order owes, beside its record.
--
-- The caller gives the note as it was read. If it has changed since, a person, another gate or the end of the refund
-- was faster, and nothing is written. It works on a full Redis too: what it writes is bounded by the refunds.
--
-- KEYS  1 sale  2 orders  3 owed
-- ARGV  1 order id   2 the note as it was read, empty if there was none   3 the note to write
-- reply {"done"}     it is written
--       {"changed"}  the note has changed since it was read; nothing was written
--       {"none"}     the order is gone, or owes no refund; nothing was written
--       {"-"}        no such sale, or only its tombstone

local head = redis.call('HMGET', KEYS[1], 'run', 'deleted')
if not head[1] or head[2] then return {'-'} end
local record = respelled(redis.call('HGET', KEYS[2], ARGV[1]))
if not owes_refund(record) then return {'none'} end
if (redis.call('HGET', KEYS[3], ARGV[1]) or '') ~= ARGV[2] then return {'changed'} end
although_full(KEYS[1])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[3])
return {'done'}
