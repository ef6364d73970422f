-- prelude: comes before every other script.
--
-- A sale is a hash of run, seq, term, server, fence, time (the latest seen), version, settings (as JSON), what scripts
-- read of the settings (opens, closes, hold, per_buyer, paused), the order counts in orders, brake, brake_count and
-- brake_off if there are any (see brake), and for each SKU sku:NAME ("total,left,held,paid,withheld"). orders is
-- "asking,held,paid,released,refund_due,refunded,refunds": refunds counts attempts that are refund due, and an eighth
-- number, if there is one, those whose refund is requested. Of a deleted sale only deleted, run, seq, term, time and
-- version are left: seq, time and version go on in a higher run.
-- Times are milliseconds since 1970.

local SEP, ITEM = '\31', '\30' -- between the fields of a record, and between its attempts

-- An order's record: its state, revision, buyer, lines, amount, balance, attempts, when its units were taken, its
-- deadline, counted from then, and when it was settled. The same as gate/record.go has it.
local RECORD = '^1([AHPRDFW])\31(%d+)\31([^\31]*)\31([^\31]*)\31(%d*)\31(%d*)\31([^\31]*)\31(%d*)\31(%d*)\31(%d*)$'
-- One of its attempts: its state, and its version and id; behind \29 are the tries to give it back.
local ATTEMPT = '(%u)([^\30\29]+)[^\30]*'
-- The record's version and state, its revision, what a repeated confirm leaves as it is, its deadline, and when it was
-- settled.
local PARTS = '^(1%u)\31(%d+)(\31.*\31)(%d*)\31(%d*)$'

-- A number as text, whole. By itself Lua writes a number of fifteen digits and more, such as a time past the year
-- 5138, as 1.0000000000001e+14, which no reader expects.
local function whole(number)
  return string.format('%.0f', number)
end

-- Joins values as table.concat does, the numbers among them whole.
local function join(values, separator)
  for i = 1, #values do
    if type(values[i]) == 'number' then values[i] = whole(values[i]) end
  end
  return table.concat(values, separator)
end

-- A record with its times written whole. Earlier versions wrote a time past 10^14 as 2.5160638605858e+14.
local function respelled(record)
  if not record or not string.find(record, 'e+', 1, true) then return record end
  local rest, taken, deadline, settled = string.match(record, '^(.*)\31([^\31]*)\31([^\31]*)\31([^\31]*)$')
  return join({rest, tonumber(taken) or '', tonumber(deadline) or '', tonumber(settled) or ''}, SEP)
end

-- Whether an attempt of a record is refund due, or its refund requested. There may be no record.
local function owes_refund(record)
  local _, _, _, _, _, _, attempts = string.match(record or '', RECORD)
  return attempts and string.find(ITEM .. attempts, ITEM .. '[DQ]') ~= nil
end

-- How far apart, in milliseconds, Redis' clock, the caller's clock and the latest time that the sale has seen may be.
local TOLERANCE = 60000

-- Returns the sale's time, nil, and Redis' own time, in milliseconds. given is the caller's clock. A test gives "="
-- and what to take for Redis' own time, then a comma and the caller's, or no comma if the caller has no clock.
--
-- The sale's time is Redis' time, and never before the latest that the sale has seen, so that it does not run back
-- after a failover. But if Redis and the caller agree that the latest is far ahead, a clock was ahead then, and the
-- sale's time goes back. If they do not agree, and Redis' time is far ahead of the latest, or the latest is far ahead
-- of both, nobody knows the time: the first value is nil, and the second is the error "CLOCK" with Redis' time and the
-- caller's. The script replies with it and writes nothing.
local function clock(given, latest)
  local own, now = tonumber(given), nil
  if own then
    local t = redis.call('TIME')
    now = t[1] * 1000 + math.floor(t[2] / 1000)
  else
    now, own = string.match(given, '^=(-?%d+),?(-?%d*)$')
    now, own = tonumber(now), tonumber(own)
  end
  latest = tonumber(latest or 0)
  local agreed = not own or math.abs(now - own) <= TOLERANCE
  local behind = now < latest - TOLERANCE
  if not agreed and (now > latest + TOLERANCE or behind and own < latest - TOLERANCE) then
    return nil, redis.error_reply('CLOCK ' .. whole(now) .. ' ' .. whole(own)), now
  end
  return own and agreed and behind and now or math.max(now, latest), nil, now
end

-- Lets a script write although Redis is full. Redis 6.2 and later refuse a script's first write if it could take
-- memory, but no write after a first one that takes none. So scripts that must work on a full Redis write this first:
-- it removes a field that no hash has. (Redis 6.2 does not know the flag allow-oom.) Scripts that free, end or only
-- move something call it. Scripts that take units or add stock do not, and are refused with nothing written.
local function although_full(key)
  redis.call('HDEL', key, '')
end

-- Appends a ledger entry: its head, the counters and order counts after it, the settings if they changed, then the full
-- new record of each changed order. The head ends with who made the change, or with the changes that only moved a
-- deadline, counted from 0, with commas between: the shop gets no message about these.
local function append(ledger, seq, term, now, kind, who, counters, orders, settings, changed, extended)
  local head = join({'1', term, now, kind, who}, SEP)
  if extended and extended[1] then head = head .. SEP .. join(extended, ',') end
  redis.call('XADD', ledger, whole(seq) .. '-0', 'e', head,
    'c', table.concat(counters, ';'), 'o', orders, 's', settings, unpack(changed))
end

-- A ledger entry's settings: run, version, the settings after it (empty for a deleted sale) and before it (empty for a
-- new one), so that an entry says what it replaced even if the entry before it is trimmed.
local function settings_entry(run, version, after, before)
  return join({run, version, after, before or ''}, SEP)
end
