#!lua name=LIBRARY

-- The transitions of leases and quotas, each atomic, on the clock of the server.
--
-- They do what services/router/adapters/memory_leases.py does, whose names they have: tests/contracts holds
-- both to the same promises. KEYS[1] is the beginning of the names of all that a partition of the tenants
-- has. Every number is whole: a level is in PARTS of a unit, a moment in milliseconds.

local PARTS = 60000
local MINUTE = 60000
local REMEMBERED = 660000
local HANDED_BACK = 2000
local MOST_ADMITTED_AGAIN = 8
local MAX_TICKETS = 3
local MOST_ENDS = 500

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function load(name)
  local packed = redis.call('GET', name)
  return packed and cmsgpack.unpack(packed)
end

-- Accounts: what a key may use. `known` where its quota was asked for, with limits rl, tl and levels r, t as
-- of the moment `at`, which goes back with a clock that is set back: nothing would come back until then.

local function refilled(level, limit, elapsed)
  return math.min(limit * PARTS, level + elapsed * limit)
end

local function until_full(level, limit)
  if limit == 0 or level >= limit * PARTS then return 0 end
  return math.ceil((limit * PARTS - level) / limit)
end

local function account_of(base, key, at)
  local name = base .. 'key:' .. key
  local account = load(name) or {flight = 0}
  account.name = name
  if account.known then
    local elapsed = math.max(0, at - account.at)
    account.r = refilled(account.r, account.rl, elapsed)
    account.t = refilled(account.t, account.tl, elapsed)
    account.at = at
  end
  return account
end

local function asked_account(base, key, rl, tl, at)
  local name = base .. 'key:' .. key
  local account = load(name) or {flight = 0}
  account.name = name
  if not account.known then
    account.known, account.at, account.r, account.t = true, at, rl * PARTS, tl * PARTS
  end
  local elapsed = math.max(0, at - account.at)
  account.r, account.rl = refilled(account.r, rl, elapsed), rl
  account.t, account.tl = refilled(account.t, tl, elapsed), tl
  account.at = at
  return account
end

local function keep_account(account)
  local name = account.name
  account.name = nil
  if account.flight > 0 then
    redis.call('SET', name, cmsgpack.pack(account))
  elseif account.known then
    -- A full account is as good as none. The minute is for clocks that are set.
    local lasts = math.max(until_full(account.r, account.rl), until_full(account.t, account.tl)) + MINUTE
    redis.call('SET', name, cmsgpack.pack(account), 'PX', string.format('%.0f', lasts))
  else
    redis.call('DEL', name)
  end
  account.name = name
end

local function has(level, limit, amount)
  return limit == 0 or amount * PARTS <= level
end

local function give(level, limit, amount)
  if limit == 0 then return level end
  return math.min(limit * PARTS, level + amount * PARTS)
end

local function has_place(account, concurrency)
  return concurrency == 0 or account.flight < concurrency
end

local function charge(account, tokens)
  if not account.known then return 0 end
  account.t = give(account.t, account.tl, -tokens)
  return tokens
end

local function vacate(account)
  account.flight = math.max(0, account.flight - 1)
end

local function said(is_lent, account)
  return {is_lent, account.r, account.t, account.flight}
end

-- Leases. A hold is {process, tokens, ends}.

local function is_over(lease)
  return not lease.reserved and next(lease.accepted) == nil and next(lease.lost) == nil
end

local function may_go_on(lease)
  return lease.last ~= nil and lease.tickets < MAX_TICKETS
end

local function forget(base, lease)
  redis.call('DEL', base .. 'lease:' .. lease.id)
  redis.call('ZREM', base .. 'ends', lease.id)
  for process in pairs(lease.seen) do
    redis.call('SREM', base .. 'process:' .. process, lease.id)
  end
  if lease.request == '' then return end
  local name = base .. 'request:' .. lease.request
  if redis.call('GET', name) ~= lease.id then return end
  if lease.earlier and redis.call('EXISTS', base .. 'lease:' .. lease.earlier) == 1 then
    redis.call('SET', name, lease.earlier)
  else
    redis.call('DEL', name)
  end
end

local function keep(base, lease)
  if is_over(lease) then return forget(base, lease) end
  local ends = lease.reserved and lease.ends or math.huge
  for _, holds in ipairs({lease.accepted, lease.lost}) do
    for _, hold in pairs(holds) do ends = math.min(ends, hold[3]) end
  end
  redis.call('SET', base .. 'lease:' .. lease.id, cmsgpack.pack(lease))
  redis.call('ZADD', base .. 'ends', string.format('%.0f', ends), lease.id)
end

local function see(base, lease, process)
  if lease.seen[process] then return end
  lease.seen[process] = true
  redis.call('SADD', base .. 'process:' .. process, lease.id)
end

local function new_lease(id, key, tokens, ends)
  return {
    id = id, key = key, tokens = tokens, ends = ends, reserved = true, request = '', again = 0,
    tickets = 0, processes = {}, seen = {}, issued = {}, accepted = {}, lost = {},
  }
end

local function lease_of(base, id)
  return load(base .. 'lease:' .. id)
end

local function has_ended(base, ticket, at)
  local ends = redis.call('GET', base .. 'ended:' .. ticket)
  return ends and tonumber(ends) > at
end

local function remember(base, ticket, at)
  local ends = string.format('%.0f', at + REMEMBERED)
  redis.call('SET', base .. 'ended:' .. ticket, ends, 'PX', REMEMBERED)
end

local function earlier_of(base, key, request)
  local id = request ~= '' and redis.call('GET', base .. 'request:' .. request)
  local lease = id and lease_of(base, id)
  if not lease or lease.key ~= key or lease.followed or lease.again >= MOST_ADMITTED_AGAIN then return nil end
  return lease
end

local function end_reservation(account, lease, ending)
  lease.reserved = false
  if not lease.doubtful then charge(account, -lease.tokens) end
  vacate(account)
  return {ending, lease.key, lease.id}
end

local function holders_of(lease)
  local processes, list = {}, {}
  for _, process in pairs(lease.issued) do processes[process] = true end
  for _, holds in ipairs({lease.accepted, lease.lost}) do
    for _, hold in pairs(holds) do processes[hold[1]] = true end
  end
  for process in pairs(processes) do table.insert(list, process) end
  return list
end

-- Transitions.

local function reserve(keys, args)
  local base, at = keys[1], now()
  local id, key, rl, tl, concurrency = args[1], args[2], tonumber(args[3]), tonumber(args[4]), tonumber(args[5])
  local tokens, lasts, request = tonumber(args[6]), tonumber(args[7]), args[8]
  local account = asked_account(base, key, rl, tl, at)
  -- Said again by a router whose connection broke: it has the lease already.
  if lease_of(base, id) then return said(1, account) end
  local earlier = earlier_of(base, key, request)
  local is_again = args[9] == '1' and earlier ~= nil
  local is_left = has(account.r, rl, 1) and has(account.t, tl, tokens) and has_place(account, concurrency)
  if not (is_again or is_left) then
    keep_account(account)
    return said(0, account)
  end
  if not is_again then account.r = give(account.r, rl, -1) end
  charge(account, tokens)
  account.flight = account.flight + 1
  local lease = new_lease(id, key, tokens, at + lasts)
  lease.request = request
  if earlier then
    lease.earlier, earlier.followed = earlier.id, is_again
    if is_again then
      lease.again, earlier.last = earlier.again + 1, nil
    end
    keep(base, earlier)
  end
  if request ~= '' then redis.call('SET', base .. 'request:' .. request, id) end
  keep(base, lease)
  keep_account(account)
  return said(1, account)
end

local function earlier(keys, args)
  local lease = earlier_of(keys[1], args[1], args[2])
  return lease and {lease.id, holders_of(lease)}
end

local function spend_request(keys, args)
  local account = asked_account(keys[1], args[1], tonumber(args[2]), tonumber(args[3]), now())
  local is_left = has(account.r, account.rl, 1)
  if is_left then account.r = give(account.r, account.rl, -1) end
  keep_account(account)
  return said(is_left and 1 or 0, account)
end

local function reserve_anew(base, lease, is_asked, limits, at)
  if not (is_asked and next(lease.accepted)) then
    local account = account_of(base, lease.key, at)
    lease.tokens = charge(account, lease.tokens)
    account.flight = account.flight + 1
    keep_account(account)
    return nil
  end
  local account = asked_account(base, lease.key, limits[1], limits[2], at)
  local is_left = has(account.t, account.tl, lease.tokens) and has_place(account, limits[3])
  if is_left then
    charge(account, lease.tokens)
    account.flight = account.flight + 1
  end
  keep_account(account)
  return not is_left and said(0, account) or nil
end

local function issue(keys, args)
  local base, at, lease = keys[1], now(), lease_of(keys[1], args[1])
  local attempt, ticket, process, claims = tonumber(args[2]), args[3], args[4], args[5]
  if not lease or not (lease.tickets == 0 or may_go_on(lease)) or attempt ~= lease.tickets + 1 then
    return {-1}
  end
  local is_anew = not lease.reserved
  if is_anew then
    local limits = {tonumber(args[8]), tonumber(args[9]), tonumber(args[10])}
    local refused = reserve_anew(base, lease, args[7] == '1', limits, at)
    if refused then
      table.insert(refused, lease.tokens)
      return refused
    end
    lease.reserved = true
  end
  lease.last, lease.tickets = claims, lease.tickets + 1
  table.insert(lease.processes, process)
  lease.issued[ticket] = process
  lease.ends = at + tonumber(args[6])
  see(base, lease, process)
  keep(base, lease)
  return {1, is_anew and 1 or 0}
end

local function issued(keys, args)
  local lease = lease_of(keys[1], args[1])
  if not lease or not may_go_on(lease) then return nil end
  local holders = {}
  for _, hold in pairs(lease.accepted) do table.insert(holders, hold[1]) end
  return {lease.last, lease.processes, holders}
end

local function accept(keys, args)
  local base, at, id, ticket = keys[1], now(), args[1], args[2]
  local key, tokens, process, lasts = args[3], tonumber(args[4]), args[5], tonumber(args[6])
  if has_ended(base, ticket, at) then return 'accepted_late' end
  local lease = lease_of(base, id)
  if not lease then
    lease = new_lease(id, key, 0, at)
    lease.reserved = false
  end
  if lease.accepted[ticket] then return 'accepted_again' end
  lease.issued[ticket] = nil
  see(base, lease, process)
  local found, lost = 'accepted', lease.lost[ticket]
  if not lost and lease.reserved then
    lease.reserved = false
    lease.accepted[ticket] = {process, lease.tokens, at + lasts}
  else
    local account = account_of(base, lease.key, at)
    account.flight = account.flight + 1
    if lost then
      lease.lost[ticket], lease.accepted[ticket], found = nil, lost, 'recovered'
    else
      lease.accepted[ticket] = {process, charge(account, tokens), at + lasts}
      found = 'accepted_unreserved'
    end
    keep_account(account)
  end
  keep(base, lease)
  return found
end

local function ticket_on(lease, replica)
  local function is_on(process) return string.match(process, '^[^:]*') == replica end
  for _, holds in ipairs({lease.accepted, lease.lost}) do
    for ticket, hold in pairs(holds) do
      if is_on(hold[1]) then return ticket end
    end
  end
  for ticket, process in pairs(lease.issued) do
    if is_on(process) then return ticket end
  end
  return ''
end

local function settle_hold(lease, account, ticket, settlement, at)
  local used, lost = settlement.used, lease.lost[ticket]
  if lost then
    lease.lost[ticket] = nil
    charge(account, used - lost[2])
    return {'settled_after_loss'}
  end
  local hold, holder = lease.accepted[ticket], ticket
  lease.accepted[ticket] = nil
  if not hold then
    if not lease.reserved then
      charge(account, used)
      return {'settled_unreserved'}
    end
    lease.reserved, holder = false, lease.id
    hold = {settlement.process, lease.tokens, lease.ends}
  end
  local has_issued = next(lease.issued) ~= nil
  if settlement.is_unserved and not lease.reserved and (has_issued or may_go_on(lease)) then
    lease.reserved, lease.tokens = true, hold[2]
    if not has_issued then lease.ends = at + HANDED_BACK end
    return {'handed_back'}
  end
  charge(account, used - hold[2])
  vacate(account)
  return {'settled', 'settled', lease.key, holder}
end

local function settle(keys, args)
  local base, at, ticket = keys[1], now(), args[2]
  local lease = lease_of(base, args[1])
  local settlement = {used = tonumber(args[4]), process = args[5], is_unserved = args[7] == '1'}
  if lease and ticket == '' then ticket = ticket_on(lease, args[6]) end
  if ticket ~= '' then
    if has_ended(base, ticket, at) then return {'settled_again'} end
    remember(base, ticket, at)
  end
  local account = account_of(base, lease and lease.key or args[3], at)
  if not lease then
    charge(account, settlement.used)
    keep_account(account)
    return {'settled_unreserved'}
  end
  lease.issued[ticket] = nil
  local outcome = settle_hold(lease, account, ticket, settlement, at)
  keep_account(account)
  keep(base, lease)
  return outcome
end

local function release(keys, args)
  local base, at, lease = keys[1], now(), lease_of(keys[1], args[1])
  if not lease then return {0} end
  lease.last = nil
  if not lease.reserved or next(lease.accepted) or next(lease.lost) then
    keep(base, lease)
    return {0}
  end
  local is_first = not lease.released
  lease.released = true
  local answer = {is_first and 1 or 0}
  if next(lease.issued) == nil then
    local account = account_of(base, lease.key, at)
    for _, part in ipairs(end_reservation(account, lease, 'released')) do table.insert(answer, part) end
    keep_account(account)
  end
  keep(base, lease)
  return answer
end

local function cancel(keys, args)
  local base, at, lease = keys[1], now(), lease_of(keys[1], args[1])
  if not lease or not lease.reserved or next(lease.accepted) or next(lease.lost) then return {} end
  local account = account_of(base, lease.key, at)
  if lease.again == 0 then
    if account.known then account.r = give(account.r, account.rl, 1) end
  else
    local before = lease_of(base, lease.earlier)
    if before then
      before.followed = false
      keep(base, before)
    end
  end
  local freed = end_reservation(account, lease, 'cancelled')
  keep_account(account)
  keep(base, lease)
  return freed
end

local function lose_lease(base, lease, process, at, freed)
  local account = account_of(base, lease.key, at)
  for ticket, hold in pairs(lease.accepted) do
    if hold[1] == process then
      lease.lost[ticket], lease.accepted[ticket] = hold, nil
      vacate(account)
      table.insert(freed, {'lost', lease.key, ticket})
    end
  end
  local had_ticket = false
  for ticket, holder in pairs(lease.issued) do
    if holder == process then
      lease.issued[ticket], lease.doubtful, had_ticket = nil, true, true
    end
  end
  if had_ticket and lease.reserved and next(lease.issued) == nil then
    table.insert(freed, end_reservation(account, lease, 'lost'))
  end
  keep_account(account)
  keep(base, lease)
end

local function lose(keys, args)
  local base, at, process, freed = keys[1], now(), args[1], {}
  local name = base .. 'process:' .. process
  for _, id in ipairs(redis.call('SMEMBERS', name)) do
    local lease = lease_of(base, id)
    if lease then
      lease.seen[process] = nil
      lose_lease(base, lease, process, at, freed)
    end
  end
  redis.call('DEL', name)
  return freed
end

local function expire_lease(base, lease, at, freed)
  local account = account_of(base, lease.key, at)
  for ticket, hold in pairs(lease.accepted) do
    if hold[3] <= at then
      lease.accepted[ticket] = nil
      remember(base, ticket, at)
      vacate(account)
      table.insert(freed, {'expired', lease.key, ticket})
    end
  end
  for ticket, hold in pairs(lease.lost) do
    if hold[3] <= at then
      lease.lost[ticket] = nil
      remember(base, ticket, at)
    end
  end
  if lease.reserved and lease.ends <= at then
    table.insert(freed, end_reservation(account, lease, lease.released and 'released' or 'expired'))
  end
  keep_account(account)
  keep(base, lease)
end

local function expire(keys, args)
  local base, at, freed = keys[1], now(), {}
  local name, latest = base .. 'ends', string.format('%.0f', at)
  local ids = redis.call('ZRANGEBYSCORE', name, '-inf', latest, 'LIMIT', 0, MOST_ENDS)
  for _, id in ipairs(ids) do
    local lease = lease_of(base, id)
    if lease then expire_lease(base, lease, at, freed) else redis.call('ZREM', name, id) end
  end
  return {#ids, freed}
end

-- Which routers hear a process of a replica, each with the moment until which that counts.

local function hear(keys, args)
  local base, router, lasts = keys[1], args[1], tonumber(args[2])
  local ends = string.format('%.0f', now() + lasts)
  for index = 3, #args do
    local name = base .. 'heard:' .. args[index]
    redis.call('ZADD', name, ends, router)
    redis.call('PEXPIRE', name, MINUTE)
  end
  return #args - 2
end

local function heard_elsewhere(keys, args)
  local base, router, lasts, at = keys[1], args[1], tonumber(args[2]), now()
  local name = base .. 'heard:' .. args[3]
  redis.call('ZREM', name, router)
  redis.call('ZREMRANGEBYSCORE', name, '-inf', string.format('%.0f', at))
  -- What ends later than it can was said before the clock was set back.
  redis.call('ZREMRANGEBYSCORE', name, string.format('(%.0f', at + lasts), '+inf')
  return redis.call('ZCARD', name)
end

redis.register_function('LIBRARY_hear', hear)
redis.register_function('LIBRARY_heard_elsewhere', heard_elsewhere)
redis.register_function('LIBRARY_reserve', reserve)
redis.register_function('LIBRARY_spend_request', spend_request)
redis.register_function('LIBRARY_issue', issue)
redis.register_function('LIBRARY_accept', accept)
redis.register_function('LIBRARY_settle', settle)
redis.register_function('LIBRARY_release', release)
redis.register_function('LIBRARY_cancel', cancel)
redis.register_function('LIBRARY_lose', lose)
redis.register_function('LIBRARY_expire', expire)
redis.register_function{function_name = 'LIBRARY_earlier', callback = earlier, flags = {'no-writes'}}
redis.register_function{function_name = 'LIBRARY_issued', callback = issued, flags = {'no-writes'}}
