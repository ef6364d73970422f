-- lease: gives one gate at a time a task of a sale, and keeps how far it has come. The tasks are to send the shop its
-- messages (notify), and to compare the orders with what has changed at PortOne (reconcile).
--
-- A gate claims a task with a token, which is new for each claim; if the reply was lost, the gate repeats the claim with
-- the same token. It writes its progress with that token. Once its lease has run out and another gate has the task, or
-- the run is over, the token changes nothing. The script works on a full Redis too, so that nothing is done again and
-- again.
--
-- KEYS  1 sale  2 notify or reconcile
-- ARGV  1 the caller's clock (see clock in the prelude)
--       2 what: "claim", "keep", or "retry" (all that is listed is tried now)
--       3 token; empty for "retry"   4 lease_ms, 0 to give the task up
--       then for "keep": field, value, field, value, … to be written; an empty value removes its field
-- reply {"held", now_ms, run, seq, retry_ms, fields}; for "claim", fields are all that the hash holds, else none
--       {"other", now_ms}  another gate has it; nothing was written
--       {"-"}              no such sale, or only its tombstone

local head = redis.call('HMGET', KEYS[1], 'run', 'seq', 'time', 'deleted')
if not head[1] or head[4] then return {'-'} end
local now, doubt = clock(ARGV[1], head[3])
if not now then return doubt end
local what, token, lease = ARGV[2], ARGV[3], tonumber(ARGV[4])
local old = redis.call('HMGET', KEYS[2], 'token', 'until', 'retry')
local ends = tonumber(old[2] or 0)
local leased = ends > now and ends <= now + lease + TOLERANCE -- one that ends later was taken by a clock that was ahead
if what == 'claim' and old[1] ~= token and leased or what == 'keep' and old[1] ~= token then
  return {'other', now}
end

local written, removed = {}, {}
local function write(field, value)
  if value == '' then removed[#removed + 1] = field else written[#written + 1], written[#written + 2] = field, value end
end
if what == 'retry' then
  old[3] = now
  write('retry', now)
else
  write('token', token)
  write('until', now + lease)
end
for i = 5, #ARGV, 2 do write(ARGV[i], ARGV[i + 1]) end
although_full(KEYS[1])
redis.call('HSET', KEYS[2], unpack(written))
if #removed > 0 then redis.call('HDEL', KEYS[2], unpack(removed)) end
return {'held', now, tonumber(head[1]), tonumber(head[2]), tonumber(old[3] or 0),
  what == 'claim' and redis.call('HGETALL', KEYS[2]) or {}}
