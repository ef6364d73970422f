-- The client's script for wrk: every request buys one ticket for an order and an attempt of its own, with ids as
-- long as PortOne's, and for a buyer of its own where the path ends in one. Where it is given a file's name, each
-- thread signs its links by the file with its number behind that name: what comes after the buyer up to the signature
-- in a line, then one signature after the other. The last line that it prints is the result, as JSON.

local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set('number', threads)
end

local count, buyers, request_head, request_tail = 0, false, nil, nil
local SIGNATURE = 43 -- characters of one
local claims, signatures = nil, nil
local body_head, body_middle, body_tail = '{"imp_uid":"imp_44', '","merchant_uid":"ORD2026', '","amount":110000}'

function init(args)
  if args[1] then
    local file = assert(io.open(args[1] .. number))
    claims, signatures = file:read('*l'), file:read('*a')
    file:close()
  end
  local length = #body_head + #body_middle + #body_tail + 10 + 10
  buyers = wrk.path:find('&buyer=', 1, true)
  request_head = 'POST ' .. wrk.path
  request_tail = table.concat({' HTTP/1.1', 'Host: ' .. wrk.host .. ':' .. wrk.port,
    'Content-Type: application/json', 'Content-Length: ' .. length, '\r\n'}, '\r\n') .. body_head
end

function request()
  count = count + 1
  local id = string.format('%02d%08d', number, count)
  local signed = signatures and claims .. string.sub(signatures, (count - 1) * SIGNATURE + 1, count * SIGNATURE)
  return request_head .. (buyers and id or '') .. (signed or '') .. request_tail .. id .. body_middle .. id .. body_tail
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\n{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"p999_us":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    e.status, e.connect + e.read + e.write + e.timeout))
end
