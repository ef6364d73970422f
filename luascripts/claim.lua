-- claim: takes members that are due to be looked up, so that no other gate looks them up too.
--
-- Orders wait in queues, which are sorted sets by when they are due. Each reason for a look-up has its own queue, so
-- that a flood in one queue delays no other:
--   due        held just now, or asking; also seq:N, all orders of a ledger entry, and what the version before wrote
--   again      looked up before
--   hastened   named by a webhook
--   alone      PortOne must be asked about this order alone: the look-up together with others left something open
--   strangers  as alone, and the look-up together with others found none of its payments
--   refunds    one of its payments is to be cancelled
--   aside      set aside because it failed by itself
-- A claimed member is not removed: its time is moved ahead by a lease. If a gate dies, the next gate claims what it
-- had. A gate that is done with a member says so by the scripts unfold, settle and aside. The first lease is short,
-- because a gate that never gets the reply works on nothing; a gate that gets it extends the lease by the script keep.
-- A hastened order alone waits for its lease in the queue again, so that a webhook during the look-up is not lost.
--
-- KEYS  1 sale  2 due  3 again  4 hastened  5 alone  6 strangers  7 refunds  8 aside
-- ARGV  1 the caller's clock (see clock in the prelude)   2 lease_ms   3 ms between two sweeps
--       4 how many ms ahead a look-up may lie at most   5 to 11 the most to take of each queue, in their order
-- reply {now_ms, n, {since_ms, member, …}, …}: n is how many are set aside. For each queue: since when the oldest
--       member that was left is due, 0 if none was left, then the members taken: "seq:N", "o:ORDER", and "sweep",
--       which is due again by itself
--       {now_ms} if there is no such sale
--
-- A member further ahead than any look-up may lie was put there by a clock that was ahead. It is due now.
--
-- It works on a full Redis too: without it nothing would be settled there.

local HASTENED = 4

local head = redis.call('HMGET', KEYS[1], 'time', 'run', 'deleted')
local now, doubt = clock(ARGV[1], head[1])
if not now then return doubt end
if not head[2] or head[3] then return {now} end
local lease, sweep, farthest = tonumber(ARGV[2]), tonumber(ARGV[3]), '(' .. whole(now + ARGV[4])
local sizes = {}
for k = 2, 8 do sizes[k] = redis.call('ZCARD', KEYS[k]) end
local reply = {now, sizes[8]}
although_full(KEYS[1])
redis.call('ZADD', KEYS[2], 'NX', now + sweep, 'sweep')
for k = 2, 8 do
  local most, taken = tonumber(ARGV[k + 3]), {0}
  local some = k == 2 or sizes[k] > 0 -- the first one has the sweep
  local astray = some and redis.call('ZRANGEBYSCORE', KEYS[k], farthest, '+inf', 'LIMIT', 0, most) or {}
  for i = 1, #astray do redis.call('ZADD', KEYS[k], now, astray[i]) end
  local first = k == HASTENED and 0 or '-inf' -- below zero are orders that were hastened before; see hasten
  local found = some and redis.call('ZRANGEBYSCORE', KEYS[k], first, now, 'WITHSCORES', 'LIMIT', 0, most + 1) or {}
  for i = 1, #found, 2 do
    local member = found[i]
    if i > 2 * most then
      taken[1] = tonumber(found[i + 1])
    else
      taken[#taken + 1] = member
      if k == HASTENED then
        redis.call('ZADD', KEYS[k], -now, member)
        redis.call('ZADD', KEYS[3], now + lease, member)
      else
        redis.call('ZADD', KEYS[k], now + (member == 'sweep' and sweep or lease), member)
      end
    end
  end
  reply[#reply + 1] = taken
end
return reply
