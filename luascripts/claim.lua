-- claim: takes what is due to be looked at, so that no other gate looks at it too.
--
-- What is claimed is not removed: its time is moved ahead by a lease. A gate that dies leaves it to the next
-- one; a gate that is done with it says so by the script settle. The first lease is short, for a gate that never
-- gets the reply knows of nothing to be done with; one that does makes it longer by the script keep.
--
-- KEYS  1 sale  2 due
-- ARGV  1 the caller's clock (see clock in the prelude)   2 lease_ms   3 the most to take
--       4 ms between two sweeps   5 how many ms ahead a look may lie at most
-- reply {now_ms, member, …}; members are "seq:N" for the orders of a ledger entry, "o:ORDER" for one order,
--       and "sweep", which is due again by itself; no members where there is no such sale
--
-- What lies further ahead than any look may was put there by a clock that was ahead. It is due now.
--
-- It works on a full Redis too: without it nothing would be settled there.

local head = redis.call('HMGET', KEYS[1], 'time', 'run', 'deleted')
local now, doubt = clock(ARGV[1], head[1])
if not now then return doubt end
if not head[2] or head[3] then return {now} end
although_full(KEYS[1])
redis.call('ZADD', KEYS[2], 'NX', now + ARGV[4], 'sweep')
local astray = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. whole(now + ARGV[5]), '+inf', 'LIMIT', 0, ARGV[3])
for i = 1, #astray do redis.call('ZADD', KEYS[2], now, astray[i]) end
local members = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, ARGV[3])
for i = 1, #members do
  redis.call('ZADD', KEYS[2], now + (members[i] == 'sweep' and ARGV[4] or ARGV[2]), members[i])
end
return {now, unpack(members)}
