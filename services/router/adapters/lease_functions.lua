#!lua name=LIBRARY

-- The transitions of leases and quotas, each atomic, on the clock of the server.
--
-- They do what services/router/adapters/memory_leases.py does, whose names they have: tests/contracts holds
-- both to the same promises. KEYS[1] is the beginning of the names of all that a partition of the tenants
-- has. Every number is whole: a level is in PARTS of a unit, a moment in milliseconds.

local PARTS = 60000
local MINUTE = 60000
local DAY = 86400000
-- No month is longer.
local MONTH = 31 * DAY
local MOST = 9007199254740991
local NOTHING, NO_HOLD = {0, 0}, {0, 0, 0, 0}
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
  if not packed then return packed end
  local is_read, found = pcall(cmsgpack.unpack, packed)
  if not is_read or type(found) ~= 'table' then error({err = 'UNREADABLE value'}) end
  return found
end

-- Accounts: what a key or a tenant may use. `known` where its quota was asked for, with limits rl, tl and levels
-- r, t as of the moment `at`, which goes back with a clock that is set back: nothing would come back until then.
-- Amounts are tokens and nanos: held ht and hn, spent in the day d dt and dn, in its month mt and mn. Where dk or
-- mk is false, what was spent before is not known of that one.

local function month_of(day)
  return math.floor(day / 100)
end

-- The day of a moment, as YYYYMMDD: years that begin with March have their odd day at the end.
local function day_of(at)
  local days = math.floor(at / DAY) + 719468
  local era = math.floor(days / 146097)
  local of_era = days - era * 146097
  local year_of_era = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524)
    - math.floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year_of_era + math.floor(year_of_era / 4) - math.floor(year_of_era / 100))
  local shifted = math.floor((5 * of_year + 2) / 153)
  local day = of_year - math.floor((153 * shifted + 2) / 5) + 1
  local month = shifted < 10 and shifted + 3 or shifted - 9
  local year = year_of_era + era * 400 + (month <= 2 and 1 or 0)
  return year * 10000 + month * 100 + day
end

local function turn(account, day)
  if account.d == day then return end
  if not account.d or month_of(account.d) ~= month_of(day) then
    account.mt, account.mn, account.mk = 0, 0, false
  end
  account.d, account.dt, account.dn, account.dk = day, 0, 0, false
end

local function refilled(level, limit, elapsed)
  return math.min(limit * PARTS, level + elapsed * limit)
end

local function until_full(level, limit)
  if limit == 0 or level >= limit * PARTS then return 0 end
  return math.ceil((limit * PARTS - level) / limit)
end

local function loaded(base, kind, number, at)
  local name = base .. kind .. ':' .. number
  local account = load(name) or {flight = 0, ht = 0, hn = 0}
  turn(account, day_of(at))
  account.name, account.subject = name, {kind, number}
  return account
end

local function account_of(base, kind, number, at)
  local account = loaded(base, kind, number, at)
  if account.known then
    local elapsed = math.max(0, at - account.at)
    account.r = refilled(account.r, account.rl, elapsed)
    account.t = refilled(account.t, account.tl, elapsed)
    account.at = at
  end
  return account
end

-- Limits are {requests, tokens, concurrency, of a day, of a month, nanos}.
local function asked_account(base, kind, number, limits, at)
  local account, rl, tl = loaded(base, kind, number, at), limits[1], limits[2]
  if not account.known then
    account.known, account.at, account.r, account.t = true, at, rl * PARTS, tl * PARTS
  end
  local elapsed = math.max(0, at - account.at)
  account.r, account.rl = refilled(account.r, rl, elapsed), rl
  account.t, account.tl = refilled(account.t, tl, elapsed), tl
  account.at, account.limits = at, limits
  return account
end

-- The accounts that pay: of the key, and of its tenant, where a replica of an older version says whose it is.
local function both(base, payer, at)
  if payer[2] == '0' then return {} end
  local accounts = {account_of(base, 'key', payer[2], at)}
  if payer[1] ~= '0' then accounts[2] = account_of(base, 'tenant', payer[1], at) end
  return accounts
end

local function asked_both(base, payer, limits, at)
  local accounts = {asked_account(base, 'key', payer[2], limits[1], at)}
  if payer[1] ~= '0' then accounts[2] = asked_account(base, 'tenant', payer[1], limits[2], at) end
  return accounts
end

-- What a call says of accounts of which something was spent, beside its answer.
local spent

local function keep_account(account)
  local name, subject, limits, has_spent = account.name, account.subject, account.limits, account.has_spent
  account.name, account.subject, account.limits, account.has_spent = nil, nil, nil, nil
  if has_spent then
    local dk, mk = account.dk and 1 or 0, account.mk and 1 or 0
    table.insert(spent, {
      subject[1], subject[2], account.d, account.dt, account.dn, dk, account.mt, account.mn, mk,
    })
  end
  local is_learnt = account.dk or account.mk or account.mt > 0 or account.mn > 0
  if account.flight > 0 or account.ht > 0 or account.hn > 0 then
    redis.call('SET', name, cmsgpack.pack(account))
  elseif not (account.known or is_learnt) then
    redis.call('DEL', name)
  else
    -- A full account of which nothing was spent this month is as good as none. The minute is for clocks that are set.
    local lasts = MINUTE
    if account.known then
      lasts = lasts + math.max(until_full(account.r, account.rl), until_full(account.t, account.tl))
    end
    if is_learnt then lasts = math.max(lasts, MONTH) end
    redis.call('SET', name, cmsgpack.pack(account), 'PX', string.format('%.0f', lasts))
  end
  account.name, account.subject, account.limits = name, subject, limits
end

local function keep_all(accounts)
  for _, account in ipairs(accounts) do keep_account(account) end
end

local function has(level, limit, amount)
  return limit == 0 or amount * PARTS <= level
end

local function give(level, limit, amount)
  if limit == 0 then return level end
  return math.min(limit * PARTS, level + amount * PARTS)
end

local function has_place(account)
  return account.limits[3] == 0 or account.flight < account.limits[3]
end

local function has_amount(account, amount)
  local limits, tokens, nanos = account.limits, amount[1], amount[2]
  local function is_left(limit, asked, taken)
    return limit == 0 or asked <= math.max(0, limit - taken)
  end
  return has(account.t, limits[2], tokens)
    and is_left(limits[4], tokens, account.dt + account.ht)
    and is_left(limits[5], tokens, account.mt + account.ht)
    and is_left(limits[6], nanos, account.mn + account.hn)
end

local function is_unknown(account)
  local limits = account.limits
  return (limits[4] > 0 or limits[5] > 0 or limits[6] > 0) and not (account.dk and account.mk)
end

local function let_through(accounts, requests, amount)
  for _, account in ipairs(accounts) do
    local is_left = has(account.r, account.limits[1], requests)
    if is_left and amount then is_left = has_amount(account, amount) and has_place(account) end
    if not is_left then return false end
  end
  return true
end

local function any_unknown(accounts)
  for _, account in ipairs(accounts) do
    if is_unknown(account) then return true end
  end
  return false
end

local function take_tokens(account, tokens)
  if not account.known or account.tl == 0 then return 0 end
  account.t = give(account.t, account.tl, -tokens)
  return tokens
end

local function spend(account, amount)
  if amount[1] == 0 and amount[2] == 0 then return end
  account.dt, account.dn = math.min(account.dt + amount[1], MOST), math.min(account.dn + amount[2], MOST)
  account.mt, account.mn = math.min(account.mt + amount[1], MOST), math.min(account.mn + amount[2], MOST)
  account.has_spent = true
end

-- What is held is {tokens, nanos, tokens taken of the key's minute, and of its tenant's}.
local function hold_of(accounts, amount)
  local held = {amount[1], amount[2], 0, 0}
  for number, account in ipairs(accounts) do
    held[2 + number] = take_tokens(account, amount[1])
    account.ht, account.hn = account.ht + amount[1], account.hn + amount[2]
    account.flight = account.flight + 1
  end
  return held
end

local function charge(accounts, held, used)
  for number, account in ipairs(accounts) do
    take_tokens(account, used[1] - held[2 + number])
    account.ht, account.hn = account.ht - held[1], account.hn - held[2]
    spend(account, used)
  end
end

local function take_request(accounts)
  for _, account in ipairs(accounts) do account.r = give(account.r, account.rl, -1) end
end

local function occupy(accounts)
  for _, account in ipairs(accounts) do account.flight = account.flight + 1 end
end

local function vacate(accounts)
  for _, account in ipairs(accounts) do account.flight = math.max(0, account.flight - 1) end
end

local function said(code, accounts, at)
  local answer = {code, at}
  for _, account in ipairs(accounts) do
    table.insert(answer, {
      account.r, account.t, account.flight, account.ht, account.hn,
      account.d, account.dt, account.dn, account.mt, account.mn,
    })
  end
  return answer
end

local function limits_at(args, first)
  local limits = {}
  for number = 1, 6 do limits[number] = tonumber(args[first + number - 1]) end
  return limits
end

-- Leases. A payer is {tenant, key}, a hold {process, held, ends}.

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

local function new_lease(id, payer, held, ends)
  return {
    id = id, payer = payer, held = held, ends = ends, reserved = true, request = '', again = 0,
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
  if not lease or lease.payer[2] ~= key or lease.followed or lease.again >= MOST_ADMITTED_AGAIN then return nil end
  return lease
end

local function freed_by(ending, lease, holder)
  return {ending, lease.payer[1], lease.payer[2], holder}
end

local function end_reservation(accounts, lease, ending)
  lease.reserved = false
  -- What may have been accepted by a process that is gone is as good as used.
  charge(accounts, lease.held, lease.doubtful and lease.held or NOTHING)
  vacate(accounts)
  return freed_by(ending, lease, lease.id)
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

-- Does it for each lease: what cannot be read of one, or of who pays for it, keeps no other from its turn.
local function for_each(base, ids, transition)
  local freed, unreadable = {}, {}
  for _, id in ipairs(ids) do
    local places = {}
    local is_done = pcall(function()
      local lease = lease_of(base, id)
      if lease then transition(lease, places) else redis.call('ZREM', base .. 'ends', id) end
    end)
    if is_done then
      for _, place in ipairs(places) do table.insert(freed, place) end
    else
      table.insert(unreadable, id)
    end
  end
  return freed, unreadable
end

-- Transitions.

local function reserve(keys, args)
  local base, at = keys[1], now()
  local id, payer, amount = args[1], {args[2], args[3]}, {tonumber(args[4]), tonumber(args[5])}
  local lasts, request = tonumber(args[6]), args[7]
  local accounts = asked_both(base, payer, {limits_at(args, 9), limits_at(args, 15)}, at)
  -- Said again by a router whose connection broke: it has the lease already.
  if lease_of(base, id) then return said(1, accounts, at) end
  if any_unknown(accounts) then return {-2, day_of(at)} end
  -- A router lent it while it could not reach this server, and may say so once more.
  local is_lent = args[21] == '1'
  if is_lent then
    if has_ended(base, id, at) then return said(1, accounts, at) end
    remember(base, id, at)
  end
  local earlier = earlier_of(base, payer[2], request)
  local is_again = args[8] == '1' and earlier ~= nil
  if not (is_again or is_lent or let_through(accounts, 1, amount)) then
    keep_all(accounts)
    return said(0, accounts, at)
  end
  if not is_again then take_request(accounts) end
  local lease = new_lease(id, payer, hold_of(accounts, amount), at + lasts)
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
  keep_all(accounts)
  return said(1, accounts, at)
end

-- What was spent before, as another call has read it: of {kind, number, day, dt, dn, mt, mn} each.
local function learn(keys, args)
  local base, at = keys[1], now()
  for first = 1, #args, 7 do
    local account = account_of(base, args[first], args[first + 1], at)
    if account.d == tonumber(args[first + 2]) then
      local read = {}
      for number = 1, 4 do read[number] = tonumber(args[first + 2 + number]) end
      local of_day, of_month = not account.dk and read or {0, 0}, not account.mk and read or {0, 0, 0, 0}
      account.dt, account.dn = math.min(account.dt + of_day[1], MOST), math.min(account.dn + of_day[2], MOST)
      account.mt, account.mn = math.min(account.mt + of_month[3], MOST), math.min(account.mn + of_month[4], MOST)
      account.dk, account.mk, account.has_spent = true, true, account.mt > 0 or account.mn > 0 or nil
    end
    keep_account(account)
  end
  return 1
end

local function spending(keys, args)
  local at = now()
  local account = loaded(keys[1], args[1], args[2], at)
  local is_known = account.dk and account.mk and 1 or 0
  return {
    account.d, is_known, account.dt, account.dn, account.mt, account.mn, account.ht, account.hn,
  }
end

local function earlier(keys, args)
  local lease = earlier_of(keys[1], args[1], args[2])
  return lease and {lease.id, holders_of(lease)}
end

local function spend_request(keys, args)
  local at = now()
  local accounts = asked_both(keys[1], {args[1], args[2]}, {limits_at(args, 3), limits_at(args, 9)}, at)
  local is_left = let_through(accounts, 1, nil)
  if is_left then take_request(accounts) end
  keep_all(accounts)
  return said(is_left and 1 or 0, accounts, at)
end

local function reserve_anew(base, lease, is_asked, limits, at)
  if not (is_asked and next(lease.accepted)) then
    local accounts = both(base, lease.payer, at)
    lease.held = hold_of(accounts, lease.held)
    keep_all(accounts)
    return nil
  end
  local accounts = asked_both(base, lease.payer, limits, at)
  if any_unknown(accounts) then return {-2, day_of(at), lease.payer[1], lease.payer[2]} end
  local is_left = let_through(accounts, 0, lease.held)
  if is_left then lease.held = hold_of(accounts, lease.held) end
  keep_all(accounts)
  if is_left then return nil end
  local answer = said(0, accounts, at)
  table.insert(answer, 3, {lease.held[1], lease.held[2]})
  return answer
end

local function issue(keys, args)
  local base, at, lease = keys[1], now(), lease_of(keys[1], args[1])
  local attempt, ticket, process, claims = tonumber(args[2]), args[3], args[4], args[5]
  if not lease or not (lease.tickets == 0 or may_go_on(lease)) or attempt ~= lease.tickets + 1 then
    return {-1}
  end
  local is_anew = not lease.reserved
  if is_anew then
    local is_asked = args[7] == '1'
    local limits = is_asked and {limits_at(args, 8), limits_at(args, 14)}
    local refused = reserve_anew(base, lease, is_asked, limits, at)
    if refused then return refused end
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
  local payer, permitted = {args[3], args[4]}, {tonumber(args[5]), tonumber(args[6])}
  local process, lasts = args[7], tonumber(args[8])
  if has_ended(base, ticket, at) then return 'accepted_late' end
  local lease = lease_of(base, id)
  if not lease then
    lease = new_lease(id, payer, NO_HOLD, at)
    lease.reserved = false
  end
  if lease.accepted[ticket] then return 'accepted_again' end
  lease.issued[ticket] = nil
  see(base, lease, process)
  local found, lost = 'accepted', lease.lost[ticket]
  if not lost and lease.reserved then
    lease.reserved = false
    lease.accepted[ticket] = {process, lease.held, at + lasts}
  else
    local accounts = both(base, lease.payer, at)
    if lost then
      occupy(accounts)
      lease.lost[ticket], lease.accepted[ticket], found = nil, lost, 'recovered'
    else
      lease.accepted[ticket] = {process, hold_of(accounts, permitted), at + lasts}
      found = 'accepted_unreserved'
    end
    keep_all(accounts)
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

local function settle_hold(lease, accounts, ticket, settlement, at)
  local used, lost = settlement.used, lease.lost[ticket]
  if lost then
    lease.lost[ticket] = nil
    charge(accounts, lost[2], used)
    return {'settled_after_loss'}
  end
  local hold, holder = lease.accepted[ticket], ticket
  lease.accepted[ticket] = nil
  if not hold then
    if not lease.reserved then
      charge(accounts, NO_HOLD, used)
      return {'settled_unreserved'}
    end
    lease.reserved, holder = false, lease.id
    hold = {settlement.process, lease.held, lease.ends}
  end
  local has_issued = next(lease.issued) ~= nil
  if settlement.is_unserved and not lease.reserved and (has_issued or may_go_on(lease)) then
    lease.reserved, lease.held = true, hold[2]
    if not has_issued then lease.ends = at + HANDED_BACK end
    return {'handed_back'}
  end
  charge(accounts, hold[2], used)
  vacate(accounts)
  return {'settled', freed_by('settled', lease, holder)}
end

local function settle(keys, args)
  local base, at, ticket, payer = keys[1], now(), args[2], {args[3], args[4]}
  local lease = lease_of(base, args[1])
  local used = {tonumber(args[5]), tonumber(args[6])}
  local settlement = {used = used, process = args[7], is_unserved = args[9] == '1'}
  if lease and ticket == '' then ticket = ticket_on(lease, args[8]) end
  if ticket ~= '' then
    if has_ended(base, ticket, at) then return {'settled_again'} end
    remember(base, ticket, at)
  end
  local accounts = both(base, lease and lease.payer or payer, at)
  if not lease then
    charge(accounts, NO_HOLD, used)
    keep_all(accounts)
    return {'settled_unreserved'}
  end
  lease.issued[ticket] = nil
  local outcome = settle_hold(lease, accounts, ticket, settlement, at)
  keep_all(accounts)
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
    local accounts = both(base, lease.payer, at)
    table.insert(answer, end_reservation(accounts, lease, 'released'))
    keep_all(accounts)
  end
  keep(base, lease)
  return answer
end

local function cancel(keys, args)
  local base, at, lease = keys[1], now(), lease_of(keys[1], args[1])
  if not lease or not lease.reserved or next(lease.accepted) or next(lease.lost) then return {} end
  local accounts = both(base, lease.payer, at)
  if lease.again == 0 then
    for _, account in ipairs(accounts) do
      if account.known then account.r = give(account.r, account.rl, 1) end
    end
  else
    local before = lease_of(base, lease.earlier)
    if before then
      before.followed = false
      keep(base, before)
    end
  end
  local freed = end_reservation(accounts, lease, 'cancelled')
  keep_all(accounts)
  keep(base, lease)
  return freed
end

local function lose_lease(base, lease, process, at, freed)
  local accounts = both(base, lease.payer, at)
  for ticket, hold in pairs(lease.accepted) do
    if hold[1] == process then
      lease.lost[ticket], lease.accepted[ticket] = hold, nil
      vacate(accounts)
      table.insert(freed, freed_by('lost', lease, ticket))
    end
  end
  local had_ticket = false
  for ticket, holder in pairs(lease.issued) do
    if holder == process then
      lease.issued[ticket], lease.doubtful, had_ticket = nil, true, true
    end
  end
  if had_ticket and lease.reserved and next(lease.issued) == nil then
    table.insert(freed, end_reservation(accounts, lease, 'lost'))
  end
  keep_all(accounts)
  keep(base, lease)
end

local function lose(keys, args)
  local base, at, process = keys[1], now(), args[1]
  local name = base .. 'process:' .. process
  local ids = redis.call('SMEMBERS', name)
  local freed, unreadable = for_each(base, ids, function(lease, places)
    lease.seen[process] = nil
    lose_lease(base, lease, process, at, places)
  end)
  redis.call('DEL', name)
  return {#ids, #unreadable, freed}
end

local function expire_lease(base, lease, at, freed)
  local accounts = both(base, lease.payer, at)
  for ticket, hold in pairs(lease.accepted) do
    if hold[3] <= at then
      lease.accepted[ticket] = nil
      charge(accounts, hold[2], hold[2])
      remember(base, ticket, at)
      vacate(accounts)
      table.insert(freed, freed_by('expired', lease, ticket))
    end
  end
  for ticket, hold in pairs(lease.lost) do
    if hold[3] <= at then
      lease.lost[ticket] = nil
      charge(accounts, hold[2], hold[2])
      remember(base, ticket, at)
    end
  end
  if lease.reserved and lease.ends <= at then
    table.insert(freed, end_reservation(accounts, lease, lease.released and 'released' or 'expired'))
  end
  keep_all(accounts)
  keep(base, lease)
end

local function expire(keys, args)
  local base, at = keys[1], now()
  local name, latest = base .. 'ends', string.format('%.0f', at)
  local ids = redis.call('ZRANGEBYSCORE', name, '-inf', latest, 'LIMIT', 0, MOST_ENDS)
  local freed, unreadable = for_each(base, ids, function(lease, places) expire_lease(base, lease, at, places) end)
  -- Tried again, and not in front of all that end after it.
  for _, id in ipairs(unreadable) do redis.call('ZADD', name, string.format('%.0f', at + MINUTE), id) end
  return {#ids, #unreadable, freed}
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

-- Those that may spend say so beside their answer: {answer, {kind, number, d, dt, dn, dk, mt, mn, mk} each}.
local function with_spent(transition)
  return function(keys, args)
    spent = {}
    local answer = transition(keys, args)
    return {answer, spent}
  end
end

redis.register_function('LIBRARY_hear', hear)
redis.register_function('LIBRARY_heard_elsewhere', heard_elsewhere)
redis.register_function('LIBRARY_reserve', reserve)
redis.register_function('LIBRARY_spend_request', spend_request)
redis.register_function('LIBRARY_issue', issue)
redis.register_function('LIBRARY_accept', accept)
redis.register_function('LIBRARY_learn', with_spent(learn))
redis.register_function('LIBRARY_settle', with_spent(settle))
redis.register_function('LIBRARY_release', with_spent(release))
redis.register_function('LIBRARY_cancel', with_spent(cancel))
redis.register_function('LIBRARY_lose', with_spent(lose))
redis.register_function('LIBRARY_expire', with_spent(expire))
redis.register_function{function_name = 'LIBRARY_spending', callback = spending, flags = {'no-writes'}}
redis.register_function{function_name = 'LIBRARY_earlier', callback = earlier, flags = {'no-writes'}}
redis.register_function{function_name = 'LIBRARY_issued', callback = issued, flags = {'no-writes'}}
