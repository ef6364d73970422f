-- The client's script for wrk: every request buys one ticket for an order and an attempt of its own, with ids as
-- long as PortOne's, and for a buyer of its own where the path ends in one. Its arguments are, by name:
--   most=N          a new connection for each request, and at most N of them for each thread
--   signatures=FILE each thread signs its links by the file with its number behind that name: what comes after the
--                   buyer up to the signature in a line, then one signature after the other
-- The last line that it prints is the result, as JSON.

local ffi = require('ffi')
ffi.cdef('typedef struct { long seconds, micros; } instant; int gettimeofday(instant *, void *);')
local clock = ffi.new('instant')

local function now()
  ffi.C.gettimeofday(clock, nil)
  return tonumber(clock.seconds) * 1e6 + tonumber(clock.micros)
end

local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
  thread:set('number', #threads)
end

stopped = 0 -- when a thread had its most; for done
local count, most, buyers, request_head, request_tail = 0, 0, false, nil, nil
local SIGNATURE = 43 -- characters of one
local claims, signatures = nil, nil
local body_head, body_middle, body_tail = '{"imp_uid":"imp_44', '","merchant_uid":"ORD2026', '","amount":110000}'

function init(args)
  local given = {}
  for _, arg in ipairs(args) do
    local name, value = string.match(arg, '^(%a+)=(.*)$')
    given[name] = value
  end
  if given.signatures then
    local file = assert(io.open(given.signatures .. number))
    claims, signatures = file:read('*l'), file:read('*a')
    file:close()
  end
  most = tonumber(given.most or 0)
  local length = #body_head + #body_middle + #body_tail + 10 + 10
  buyers = wrk.path:find('&buyer=', 1, true)
  request_head = 'POST ' .. wrk.path
  request_tail = table.concat({' HTTP/1.1', 'Host: ' .. wrk.host .. ':' .. wrk.port, 'Content-Type: application/json',
    'Content-Length: ' .. length, most > 0 and 'Connection: close\r\n' or '', ''}, '\r\n') .. body_head
end

function request()
  count = count + 1
  if most > 0 and count >= most and stopped == 0 then
    stopped = now()
    wrk.thread:stop()
  end
  local id = string.format('%02d%08d', number, count)
  local signed = signatures and claims .. string.sub(signatures, (count - 1) * SIGNATURE + 1, count * SIGNATURE)
  return request_head .. (buyers and id or '') .. (signed or '') .. request_tail .. id .. body_middle .. id .. body_tail
end

-- Where every thread had its most before the time was over, the run lasted until the last of them had.
function done(summary, latency)
  local began, last = now() - summary.duration, 0
  for _, thread in ipairs(threads) do
    local at = tonumber(thread:get('stopped'))
    last = at == 0 and math.huge or math.max(last, at)
  end
  local e = summary.errors
  io.write(string.format('\n{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"p999_us":%d,"refused":%d,"broken":%d}\n',
    summary.requests, math.min(summary.duration, last - began), latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    e.status, e.connect + e.read + e.write + e.timeout))
end
