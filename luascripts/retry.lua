-- retry: makes all that is set aside due now. It works on a full Redis too, as claim does.
--
-- KEYS  1 sale  2 aside
-- ARGV  1 the caller's clock (see clock in the prelude)
-- reply {n}: how many there are

local now, doubt = clock(ARGV[1], redis.call('HGET', KEYS[1], 'time'))
if not now then return doubt end
local members = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '+inf')
if #members == 0 then return {0} end
although_full(KEYS[1])
for i = 1, #members do redis.call('ZADD', KEYS[2], now, members[i]) end
return {#members}
