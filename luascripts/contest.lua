-- contest: writes the disputes and chargebacks of an order's payments, beside its record.
--
-- The caller gives what it had read before it looked the payments up. If that has changed since, another gate was
-- faster, and nothing is written. It works on a full Redis too: what it writes is bounded by the payments.
--
-- KEYS  1 sale  2 orders  3 disputes
-- ARGV  1 order id   2 what was read before, empty if there was nothing   3 what to write, empty to remove it
-- reply {"done"}     it is written
--       {"changed"}  it has changed since it was read; nothing was written
--       {"none"}     there is no such order; nothing was written
--       {"-"}        no such sale, or only its tombstone

local head = redis.call('HMGET', KEYS[1], 'run', 'deleted')
if not head[1] or head[2] then return {'-'} end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then return {'none'} end
if (redis.call('HGET', KEYS[3], ARGV[1]) or '') ~= ARGV[2] then return {'changed'} end
although_full(KEYS[1])
if ARGV[3] == '' then redis.call('HDEL', KEYS[3], ARGV[1]) else redis.call('HSET', KEYS[3], ARGV[1], ARGV[3]) end
return {'done'}
