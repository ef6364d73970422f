-- contest: writes down what there is against the payments of an order, beside its record.
--
-- It is told what was read before the payments were looked up, and changes nothing if that is not what stands there any
-- more: another gate was faster. It works on a full Redis too: what it writes is bounded by the payments.
--
-- KEYS  1 sale  2 orders  3 disputes
-- ARGV  1 order id   2 what was read before, empty where there was nothing   3 what to write, empty for nothing
-- reply {"done"}     it is written
--       {"changed"}  something else stands there by now; nothing was written
--       {"none"}     there is no such order; nothing was written
--       {"-"}        no such sale, or only its tombstone

local head = redis.call('HMGET', KEYS[1], 'run', 'deleted')
if not head[1] or head[2] then return {'-'} end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then return {'none'} end
if (redis.call('HGET', KEYS[3], ARGV[1]) or '') ~= ARGV[2] then return {'changed'} end
although_full(KEYS[1])
if ARGV[3] == '' then redis.call('HDEL', KEYS[3], ARGV[1]) else redis.call('HSET', KEYS[3], ARGV[1], ARGV[3]) end
return {'done'}
