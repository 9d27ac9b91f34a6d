"""The hopper: leads ready to dial, in Redis, each handed out once.

    hopper:{tenant}:{campaign}   sorted set of lead ids by order
    leads:{tenant}               hash lead id → its entry (JSON), for leads in a hopper
    flight:{tenant}              hash lead id → {"entry", "call_id", "state", "at"}: handed out and not yet done with
    tries:{tenant}:{phone}       sorted set call id by time: the dials of the last 30 days, over all campaigns

A lead is in a hopper, or in flight, or in neither; the scripts move it in one step, so that no two engines, and no
engine before and after a crash, dial it at the same time. `state` is `leased` until the INVITE is about to go out, then
`placed`: a dead engine's leased leads go back to their lists, its placed ones are closed by the facts. A leased lead
whose hand-over was never heard of by the engine (the connection broke) is found by the engine's own look at what is in
flight.
"""

from __future__ import annotations

from typing import Any

from callcenter import wire

KEEP_TRIES_S = 30 * 86_400

# KEYS hopper, leads, flight; ARGV (lead id, order, entry) * n. Returns how many were added.
FILL = """
local added = 0
for i = 1, #ARGV, 3 do
  if redis.call('HEXISTS', KEYS[3], ARGV[i]) == 0 and redis.call('HEXISTS', KEYS[2], ARGV[i]) == 0 then
    redis.call('ZADD', KEYS[1], ARGV[i + 1], ARGV[i])
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 2])
    added = added + 1
  end
end
return added
"""

# KEYS hopper, leads, flight, blacklist, tries prefix; ARGV n, now, engine.
# Returns {entry, blacklisted, tries 24 h, oldest of them, tries 30 d} * n.
POP = """
local out = {}
local ids = redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1)
local now = tonumber(ARGV[2])
for _, id in ipairs(ids) do
  redis.call('ZREM', KEYS[1], id)
  local entry = redis.call('HGET', KEYS[2], id)
  redis.call('HDEL', KEYS[2], id)
  if entry and redis.call('HEXISTS', KEYS[3], id) == 0 then
    redis.call('HSET', KEYS[3], id, cjson.encode({entry = entry, state = 'leased', at = now, engine = ARGV[3]}))
    local phone = cjson.decode(entry)['phone']
    local tries = KEYS[5] .. phone
    local recent = redis.call('ZRANGEBYSCORE', tries, now - 86400, '+inf', 'WITHSCORES')
    out[#out + 1] = entry
    out[#out + 1] = redis.call('SISMEMBER', KEYS[4], phone)
    out[#out + 1] = #recent / 2
    out[#out + 1] = recent[2] or ''
    out[#out + 1] = redis.call('ZCARD', tries)
  end
end
return out
"""

# KEYS hopper, leads, flight; ARGV lead id, order. A leased lead goes back.
GIVE_BACK = """
local raw = redis.call('HGET', KEYS[3], ARGV[1])
if not raw then return 0 end
local f = cjson.decode(raw)
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], f['entry'])
return 1
"""

# KEYS flight, leads; ARGV lead id, flight record. Takes a lead for a call by hand, out of whatever hopper it is in (an
# id without entry is passed over there). Returns 1, or 0 if somebody has it.
SEIZE = """
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1])
return 1
"""

# KEYS hopper, leads. Takes everything out and returns the entries.
DRAIN = """
local out = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local entry = redis.call('HGET', KEYS[2], id)
  if entry then out[#out + 1] = entry end
  redis.call('HDEL', KEYS[2], id)
end
redis.call('DEL', KEYS[1])
return out
"""


def hopper_key(tenant: int, campaign: int) -> str:
    """The campaign's hopper."""
    return f"hopper:{tenant}:{campaign}"


def leads_key(tenant: int) -> str:
    """Entries of the leads in the tenant's hoppers."""
    return f"leads:{tenant}"


def flight_key(tenant: int) -> str:
    """Leads handed out."""
    return f"flight:{tenant}"


def tries_key(tenant: int, phone: str) -> str:
    """The recent dials of one number."""
    return f"tries:{tenant}:{phone}"


def blacklist_key(tenant: int) -> str:
    """The numbers that are not called."""
    return f"blacklist:{tenant}"


def feed_key(tenant: int, campaign: int) -> str:
    """The feeder's document about a campaign's lists."""
    return f"feed:{tenant}:{campaign}"


def counts_key(tenant: int, campaign: int) -> str:
    """The recorder's document of a campaign's stored figures."""
    return f"counts:{tenant}:{campaign}"


def entry(raw: bytes | str) -> dict[str, Any]:
    """A hopper entry: lead_id, campaign_id, phone, alt_phones, name, time_zone, order, status, attempts, customer_id,
    card."""
    return wire.from_json(raw, dict[str, Any])
