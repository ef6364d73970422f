-- sale: reads a sale and its time at one instant. A caller that has read the sale before gets only what has changed.
--
-- KEYS  1 sale
-- ARGV  1 the caller's clock (see clock in the prelude)
--       then, if the caller has read it before:  2 seq  3 time  4 SHA-1 of the settings, each as it was read
-- reply {now_ms, {field, value, …}, redis_ms}  no fields if there is no such sale; settings is empty if unchanged
--       {now_ms, "same", redis_ms}             nothing has changed
--       redis_ms is Redis' own clock; if it is in doubt (see clock in the prelude), now_ms is nil

local head = redis.call('HMGET', KEYS[1], 'seq', 'time')
local now, _, own = clock(ARGV[1], head[2])
now = now or false
if head[1] and head[1] == ARGV[2] and head[2] == ARGV[3] then return {now, 'same', own} end
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, ARGV[4] and #fields or 0, 2 do
  if fields[i] == 'settings' and redis.sha1hex(fields[i + 1]) == ARGV[4] then fields[i + 1] = '' end
end
return {now, fields, own}
