"""Requests that carry an API token: who stands behind it, and how many it may make.

    rate:token:{hash}   hash: left, at; the token's bucket, which fills by `per_s` up to `burst`

The bucket lies in Valkey, so that all web processes share it, and is asked before the database: a client that runs
wild costs little. Times are Valkey's own.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from math import ceil
from typing import Final
from zoneinfo import ZoneInfo

import redis
from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import joinedload

from callcenter.auth.access import permissions_of, scope_of
from callcenter.auth.models import ApiToken, User
from callcenter.auth.permissions import givable
from callcenter.auth.sessions import Identity
from callcenter.auth.tokens import MARK, comes_from, state, token_hash
from callcenter.db.session import one_or_none, tenant_session
from callcenter.errors import AppError, NotSignedIn, Unavailable
from callcenter.events import streams
from callcenter.tenancy.models import Enterprise

USED_EVERY: Final = timedelta(minutes=1)  # so exactly is the last use known
MOST_LETTERS: Final = 200
_WHO = (
    select(ApiToken, User, Enterprise)
    .join(User, (User.id == ApiToken.user_id) & (User.tenant_id == ApiToken.tenant_id))
    .join(Enterprise, Enterprise.id == ApiToken.tenant_id)
    .where(ApiToken.token_hash == bindparam("hash"))
    .options(joinedload(User.roles))
)
_TAKE: Final = """
local now = redis.call("TIME")
local at = now[1] + now[2] / 1e6
local per_s, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local had = redis.call("HMGET", KEYS[1], "left", "at")
local left = burst
if had[1] then left = math.min(burst, tonumber(had[1]) + math.max(0, at - tonumber(had[2])) * per_s) end
local wait = 0
if left >= 1 then left = left - 1 else wait = (1 - left) / per_s end
redis.call("HSET", KEYS[1], "left", tostring(left), "at", string.format("%.6f", at))
redis.call("EXPIRE", KEYS[1], math.ceil(burst / per_s) + 1)
return tostring(wait)
"""


class TokenRefused(NotSignedIn):
    """Unknown, revoked, expired or used from elsewhere; or its user or enterprise may not work any more."""

    code = "token_refused"


class TooManyRequests(AppError):
    """The token asks too often; `params["retry_after_s"]`: whole seconds until it may ask again."""

    code = "too_many_requests"
    status = 429


def take_turn(token: str, *, per_s: float, burst: int) -> None:
    """Count one request of `token`. Raises TooManyRequests, or Unavailable without Valkey."""
    key = f"rate:token:{token_hash(token)[:32]}"
    try:
        wait = float(streams.client().eval(_TAKE, 1, key, str(per_s), str(burst)))
    except redis.RedisError as error:
        raise Unavailable("The server is not ready just now. Try again in a moment.") from error
    if wait > 0:
        seconds = max(1, ceil(wait))
        raise TooManyRequests(f"Too many requests. Wait {seconds} s.", params={"retry_after_s": seconds})


def resolve_token(token: str, ip: str, now: datetime) -> Identity:
    """Who stands behind `token`, which a request from address `ip` carries. Notes the use. Raises TokenRefused."""
    found = None
    if token.startswith(MARK) and len(token) <= MOST_LETTERS:
        found = one_or_none(_WHO, {"hash": token_hash(token)})
    if found is None:
        raise TokenRefused("This token is not known.")
    row, user, enterprise = found.ApiToken, found.User, found.Enterprise
    if (how := state(row, now)) != "active":
        raise TokenRefused(f"This token is {how}.")
    if not user.enabled:
        raise TokenRefused("The user of this token is disabled.")
    if _is_over(enterprise.valid_until, enterprise.time_zone, now):
        raise TokenRefused("The enterprise's validity has ended.")
    if not comes_from(ip, row.ip_allow):
        raise TokenRefused("This token may not be used from this address.")
    if row.last_used_at is None or now - row.last_used_at >= USED_EVERY:
        _note_use(row, ip, now)
    allowed = permissions_of(user.roles) & frozenset(givable(is_platform=enterprise.is_platform))
    return Identity(
        "", user, enterprise, allowed & frozenset(row.permissions), scope_of(user.roles), ip, token_name=row.name
    )


def _is_over(valid_until: date | None, time_zone: str, now: datetime) -> bool:
    return valid_until is not None and now.astimezone(ZoneInfo(time_zone)).date() > valid_until


def _note_use(row: ApiToken, ip: str, now: datetime) -> None:
    """Once a minute, whoever comes first: the others of the same moment find it written."""
    with tenant_session(row.tenant_id) as session:
        stale = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at <= now - USED_EVERY)
        session.execute(
            update(ApiToken)
            .where(ApiToken.id == row.id, stale)
            .values(last_used_at=now, last_used_ip=ip, updated_at=ApiToken.updated_at)
        )
