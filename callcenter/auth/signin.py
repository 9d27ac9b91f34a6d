"""Signing in: find the user, count failures, lock out. An unknown user answers exactly as a known one does.

After `FAILURES_ALLOWED` wrong passwords in a row the user is locked for `LOCK_MIN` minutes, whatever password comes;
failures of names that do not exist are counted in Valkey for as long, so that the two can't be told apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from sqlalchemy import func, select

from callcenter.audit.models import Actor, record
from callcenter.auth.models import User
from callcenter.db.session import platform_session, tenant_session
from callcenter.errors import AppError
from callcenter.events import streams
from callcenter.tenancy.models import Enterprise

FAILURES_ALLOWED: Final = 5
LOCK_MIN: Final = 15
Verify = Callable[[str, str | None], bool]


class SignInRefused(AppError):
    """Wrong enterprise, user or password, or the user may not work any more; deliberately not told apart."""

    code = "sign_in_refused"
    status = 401


class LockedOut(AppError):
    """Too many wrong passwords; `params["minutes"]` until the next try."""

    code = "locked_out"
    status = 429


@dataclass(frozen=True)
class SignedIn:
    """Who has signed in."""

    user: User
    enterprise: Enterprise


def _refused() -> SignInRefused:
    return SignInRefused("Enterprise, user name or password is not right. Check all three.")


def _locked(left: timedelta) -> LockedOut:
    minutes = max(1, ceil(left.total_seconds() / 60))
    return LockedOut(
        f"Too many wrong passwords. Try again in {minutes} minutes, or ask your administrator to set a new password.",
        params={"minutes": minutes},
    )


def sign_in(code: str, username: str, password: str, *, ip: str, now: datetime, verify: Verify) -> SignedIn:
    """Sign a user in. `verify(password, hash)` does the slow comparison wherever the caller wants it done.

    Raises SignInRefused or LockedOut.
    """
    code, username = code.strip().lower(), username.strip().lower()
    with platform_session() as session:
        enterprise = session.scalar(select(Enterprise).where(func.lower(Enterprise.code) == code))
    user: User | None = None
    if enterprise is not None:
        with tenant_session(enterprise.id) as session:
            user = session.scalar(select(User).where(User.username == username))
    fits = verify(password, user.password_hash if user is not None else None)
    if enterprise is None or user is None:
        raise _unknown(code, username)
    return _decide(enterprise, user.id, fits, ip=ip, now=now)


def _unknown(code: str, username: str) -> AppError:
    """Count a failure of a name that nobody has; the error that a known user's would have given."""
    key = "signin:unknown:" + hashlib.sha256(f"{code}\0{username}".encode()).hexdigest()[:32]
    client = streams.client()
    failures = int(client.incr(key))
    if failures <= FAILURES_ALLOWED:
        client.expire(key, LOCK_MIN * 60)
        return _refused() if failures < FAILURES_ALLOWED else _locked(timedelta(minutes=LOCK_MIN))
    return _locked(timedelta(seconds=max(1, int(client.ttl(key)))))


def _decide(enterprise: Enterprise, user_id: int, fits: bool, *, ip: str, now: datetime) -> SignedIn:
    error: AppError | None = None
    with tenant_session(enterprise.id) as session:
        user = session.scalars(select(User).where(User.id == user_id).with_for_update()).one_or_none()
        if user is None:
            raise _refused()
        actor = Actor(enterprise.id, user.id, user.name, ip)
        if user.locked_until is not None and user.locked_until > now:
            error = _locked(user.locked_until - now)
        elif not fits:
            user.failed_logins = 1 if user.locked_until is not None else user.failed_logins + 1
            user.locked_until = None
            error = _refused()
            if user.failed_logins >= FAILURES_ALLOWED:
                user.locked_until = now + timedelta(minutes=LOCK_MIN)
                error = _locked(timedelta(minutes=LOCK_MIN))
            action = "locked_out" if user.locked_until is not None else "sign_in_failed"
            record(session, actor, action, "user", user.id, name=user.name)
        elif not user.enabled:
            error = SignInRefused(
                "This user is disabled. Ask your administrator.", code="user_disabled"
            )  # told only to whoever has the right password
        else:
            user.failed_logins, user.locked_until, user.last_login_at = 0, None, now
            record(session, actor, "sign_in", "user", user.id, name=user.name)
    if error is not None:
        raise error
    return SignedIn(user, enterprise)
