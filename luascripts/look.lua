-- look: has orders looked at now. It works on a full Redis too, so that they are settled there.
--
-- KEYS  1 sale  2 orders  3 due
-- ARGV  1 "1" for only those that are not in due by themselves, empty for all   then order ids
-- reply {known, added}: how many of them the sale has, and how many of these were not in due by themselves

local members = {}
for i = 2, #ARGV do
  if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 1 then
    members[#members + 1], members[#members + 2] = 0, 'o:' .. ARGV[i]
  end
end
if #members == 0 then return {0, 0} end
although_full(KEYS[1])
if ARGV[1] == '1' then return {#members / 2, redis.call('ZADD', KEYS[3], 'NX', unpack(members))} end
return {#members / 2, redis.call('ZADD', KEYS[3], unpack(members))}
