-- keep: extends the lease on what a gate has claimed, once it has the reply of claim.
--
-- It works on a full Redis too, as claim does.
--
-- KEYS  1 sale  2 the queue in which it waits
-- ARGV  1 the caller's clock (see clock in the prelude)   2 lease_ms   then the members that were claimed
-- reply {now_ms}; a member that is gone stays gone

local now, doubt = clock(ARGV[1], redis.call('HGET', KEYS[1], 'time'))
if not now then return doubt end
redis.call('ZCARD', KEYS[2])
local members = {}
for i = 3, #ARGV do
  members[#members + 1], members[#members + 2] = now + ARGV[2], ARGV[i]
end
if #members == 0 then return {now} end
although_full(KEYS[1])
redis.call('ZADD', KEYS[2], 'XX', unpack(members))
return {now}
