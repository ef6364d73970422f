-- sale: reads a sale and the clock that decides over it, at one instant.
--
-- KEYS  1 sale
-- ARGV  1 now_ms, empty in production
-- reply {now_ms, {field, value, …}}; no fields where there is no such sale

local fields = redis.call('HGETALL', KEYS[1])
return {clock(ARGV[1], redis.call('HGET', KEYS[1], 'time')), fields}
