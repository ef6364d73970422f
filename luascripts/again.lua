-- again: makes orders due for another look-up at PortOne, whatever their state, at the latest after a given time. The
-- gate calls it if PortOne lists a change that their records do not have, or if a person asks.
--
-- It works on a full Redis too, so that orders are settled there.
--
-- KEYS  1 sale  2 orders  3 again
-- ARGV  1 the caller's clock (see clock in the prelude)   2 ms from now until they are looked up   then order ids
-- reply {known}: how many of them the sale has

local now, doubt = clock(ARGV[1], redis.call('HGET', KEYS[1], 'time'))
if not now then return doubt end
local at, added = now + ARGV[2], {}
for i = 3, #ARGV do
  if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 1 then added[#added + 1], added[#added + 2] = at, 'o:' .. ARGV[i] end
end
redis.call('ZCARD', KEYS[3])
if #added > 0 then
  although_full(KEYS[1])
  redis.call('ZADD', KEYS[3], 'LT', unpack(added))
end
return {#added / 2}
