"""Sessions of signed-in users: a record in Valkey, named by a random id that lies in the browser's signed cookie.

    session:{id}   hash: tenant, user, epoch, ip; expires after the enterprise's idle time without a request

A session ends by sign-out, by idleness, when the user's `session_epoch` rises (password changed, disabled), or when
the user or the enterprise is gone. Permissions are read from the enabled roles at each request, so that a role taken
away is gone at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

import redis
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session, joinedload

from callcenter.audit.models import Actor
from callcenter.auth.access import permissions_of, scope_of
from callcenter.auth.models import DataScope, User
from callcenter.auth.permissions import givable
from callcenter.db.session import one_or_none
from callcenter.errors import NotSignedIn, Unavailable
from callcenter.events import streams
from callcenter.tenancy.models import Enterprise

TOUCH_EVERY_S = 10  # so exactly is a user known to be at work
# It is asked at each request, a call that is answered among them.
_WHO = (
    select(User, Enterprise)
    .join(Enterprise, Enterprise.id == User.tenant_id)
    .where(User.id == bindparam("user"), User.tenant_id == bindparam("tenant"))
    .options(joinedload(User.roles))
)


@dataclass(frozen=True)
class Identity:
    """Who makes a request, for which enterprise, and what they may do. Rows are detached: read them, do not write.

    `token_name` is that of the API token which speaks for the user; a token has no session.
    """

    session_id: str
    user: User
    enterprise: Enterprise
    permissions: frozenset[str]
    scope: DataScope
    ip: str
    token_name: str = ""

    @property
    def actor(self) -> Actor:
        """For actions and the audit log: the user, and the token if one speaks for them."""
        name = f"{self.user.name} · {self.token_name}" if self.token_name else self.user.name
        return Actor(self.enterprise.id, self.user.id, name, self.ip, self.permissions)


@dataclass(frozen=True)
class Record:
    """What Valkey holds of a session."""

    tenant_id: int
    user_id: int
    epoch: int
    left_s: int  # until it ends without a request


def _key(session_id: str) -> str:
    return f"session:{session_id}"


def open_session(user: User, enterprise: Enterprise, ip: str) -> str:
    """Start a session for `user`; returns its id, 43 random characters. Raises Unavailable without Valkey."""
    session_id = secrets.token_urlsafe(32)
    pipe = streams.client().pipeline()
    pipe.hset(
        _key(session_id),
        mapping={"tenant": enterprise.id, "user": user.id, "epoch": user.session_epoch, "ip": ip},
    )
    pipe.expire(_key(session_id), enterprise.idle_sign_out_min * 60)
    try:
        pipe.execute()
    except redis.RedisError as error:
        raise Unavailable("Sign-in is not possible just now. Try again in a moment.") from error
    return session_id


def close_session(session_id: str) -> None:
    """End a session; harmless if it has ended."""
    streams.client().delete(_key(session_id))


def touch(session_id: str, idle_min: int) -> None:
    """The user is at work: the idle time starts anew."""
    streams.client().expire(_key(session_id), idle_min * 60)


def read(session_id: str) -> Record:
    """The session's record. Raises NotSignedIn when it has ended, Unavailable without Valkey."""
    try:
        pipe = streams.client().pipeline(transaction=False)
        pipe.hmget(_key(session_id), ["tenant", "user", "epoch"])
        pipe.ttl(_key(session_id))
        raw, left_s = pipe.execute()
    except redis.RedisError as error:
        raise Unavailable("The server is not ready just now. Try again in a moment.") from error
    if raw[0] is None or raw[1] is None or raw[2] is None:
        raise NotSignedIn("The session has ended. Sign in again.", code="session_ended")
    return Record(int(raw[0]), int(raw[1]), int(raw[2]), int(left_s))


def resolve(session_id: str, ip: str, *, renew: bool = True) -> Identity:
    """Who stands behind `session_id`. `renew` counts this as activity.

    Raises NotSignedIn if the session has ended, or its user or enterprise may not work any more.
    """
    record = read(session_id)
    found = one_or_none(_WHO, {"user": record.user_id, "tenant": record.tenant_id})
    if found is None or not found.User.enabled or found.User.session_epoch != record.epoch:
        close_session(session_id)
        raise NotSignedIn("The session has ended. Sign in again.", code="session_ended")
    user, enterprise = found.User, found.Enterprise
    idle_s = enterprise.idle_sign_out_min * 60
    if renew and not idle_s - TOUCH_EVERY_S < record.left_s <= idle_s:
        touch(session_id, enterprise.idle_sign_out_min)
    permissions = permissions_of(user.roles) & frozenset(givable(is_platform=enterprise.is_platform))
    return Identity(session_id, user, enterprise, permissions, scope_of(user.roles), ip)


def users_now(session: Session, user_ids: Iterable[int]) -> dict[int, User]:
    """The present rows, with roles, of those of `user_ids` that still exist."""
    return {u.id: u for u in session.scalars(select(User).where(User.id.in_(list(user_ids))))}
