-- look: makes those of the given orders due now that are in no queue, so that no gate would look them up. It works on a
-- full Redis too, so that they are settled there.
--
-- KEYS  1 sale  2 orders  3 due  4 again  5 alone  6 strangers  7 refunds  8 aside
-- ARGV  1 the caller's clock (see clock in the prelude)   then order ids
-- reply {known, added}: how many of them the sale has, and how many of these were in no queue by themselves

local now, doubt = clock(ARGV[1], redis.call('HGET', KEYS[1], 'time'))
if not now then return doubt end
local known, added = 0, {}
for i = 2, #ARGV do
  local member = 'o:' .. ARGV[i]
  if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 1 then
    known = known + 1
    local waits = false
    for k = 3, 8 do waits = waits or redis.call('ZMSCORE', KEYS[k], member)[1] end
    if not waits then added[#added + 1], added[#added + 2] = now, member end
  end
end
if #added > 0 then
  although_full(KEYS[1])
  redis.call('ZADD', KEYS[4], unpack(added))
end
return {known, #added / 2}
