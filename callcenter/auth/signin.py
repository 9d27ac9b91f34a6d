"""Signing in: find the user, count failures, lock out, ask for the second factor. An unknown user answers exactly as a
known one does.

After `FAILURES_ALLOWED` wrong passwords or codes in a row the user is locked for `LOCK_MIN` minutes, whatever comes
then; failures of names that do not exist are counted in Valkey for as long, so that the two can't be told apart. Where
a second factor is asked for, the right password alone forgives no failure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.auth.halves import Half, Step, StepEnded
from callcenter.auth.lockout import FAILURES_ALLOWED, LOCK_MIN, count_failure, forget_failures, lock_of, locked
from callcenter.auth.models import User
from callcenter.auth.second_factor import confirmed_factor, is_required, spend
from callcenter.db.session import platform_session, tenant_session
from callcenter.errors import AppError
from callcenter.events import streams
from callcenter.tenancy.models import Enterprise

Verify = Callable[[str, str | None], bool]
_DISABLED: Final = "This user is disabled. Ask your administrator."


class SignInRefused(AppError):
    """Wrong enterprise, user or password, or the user may not work any more; deliberately not told apart."""

    code = "sign_in_refused"
    status = 401


@dataclass(frozen=True)
class SignedIn:
    """Who gave the right password. `step`: what is asked of them before they are signed in, None for nothing."""

    user: User
    enterprise: Enterprise
    step: Step | None = None


def _refused() -> SignInRefused:
    return SignInRefused("Enterprise, user name or password is not right. Check all three.")


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


def second_step(half: Half, code: str, *, ip: str, now: datetime) -> SignedIn:
    """Sign in by a code of the app or a recovery code, after the password.

    Raises InvalidInput (`wrong_code`), LockedOut, StepEnded, SignInRefused.
    """
    with tenant_session(half.tenant_id) as session:
        user, enterprise = waiting(session, half)
        actor = Actor(enterprise.id, user.id, user.name, ip)
        error = spend(session, actor, user, code, now)
        if error is None:
            _admit(session, actor, user, now)
    if error is not None:
        raise error
    return SignedIn(user, enterprise)


def admit_after_setup(half: Half, *, ip: str, now: datetime) -> SignedIn:
    """Sign in a user who has just set the second factor up. Raises StepEnded, SignInRefused."""
    with tenant_session(half.tenant_id) as session:
        user, enterprise = waiting(session, half)
        if confirmed_factor(session, user.id) is None:
            raise StepEnded("This took too long. Give your password once more.")
        _admit(session, Actor(enterprise.id, user.id, user.name, ip), user, now)
    return SignedIn(user, enterprise)


def actor_of(half: Half, ip: str) -> Actor:
    """Who gave the password, for the actions that set a second factor up. Raises StepEnded, SignInRefused."""
    with tenant_session(half.tenant_id) as session:
        user, _enterprise = waiting(session, half)
        return Actor(half.tenant_id, user.id, user.name, ip)


def waiting(session: Session, half: Half) -> tuple[User, Enterprise]:
    """The user of `half`, held in this transaction. Raises StepEnded or SignInRefused if they may not go on."""
    user = session.scalars(select(User).where(User.id == half.user_id).with_for_update(of=User)).one_or_none()
    if user is None or user.session_epoch != half.epoch:
        raise StepEnded("This took too long. Give your password once more.")
    if not user.enabled:
        raise SignInRefused(_DISABLED, code="user_disabled")
    return user, session.get_one(Enterprise, half.tenant_id)


def _unknown(code: str, username: str) -> AppError:
    """Count a failure of a name that nobody has; the error that a known user's would have given."""
    key = "signin:unknown:" + hashlib.sha256(f"{code}\0{username}".encode()).hexdigest()[:32]
    client = streams.client()
    failures = int(client.incr(key))
    if failures <= FAILURES_ALLOWED:
        client.expire(key, LOCK_MIN * 60)
        return _refused() if failures < FAILURES_ALLOWED else locked(timedelta(minutes=LOCK_MIN))
    return locked(timedelta(seconds=max(1, int(client.ttl(key)))))


def _decide(enterprise: Enterprise, user_id: int, fits: bool, *, ip: str, now: datetime) -> SignedIn:
    error: AppError | None = None
    step: Step | None = None
    with tenant_session(enterprise.id) as session:
        user = session.scalars(select(User).where(User.id == user_id).with_for_update(of=User)).one_or_none()
        if user is None:
            raise _refused()
        actor = Actor(enterprise.id, user.id, user.name, ip)
        error = lock_of(user, now)
        if error is None and not fits:
            lock = count_failure(user, now)
            error = lock or _refused()
            record(session, actor, "sign_in_failed" if lock is None else "locked_out", "user", user.id, name=user.name)
        elif error is None and not user.enabled:
            error = SignInRefused(_DISABLED, code="user_disabled")  # told only to whoever has the right password
        elif error is None:
            step = _wanted(session, user)
            if step is None:
                _admit(session, actor, user, now)
    if error is not None:
        raise error
    return SignedIn(user, enterprise, step)


def _wanted(session: Session, user: User) -> Step | None:
    if confirmed_factor(session, user.id) is not None:
        return Step.CODE
    return Step.SETUP if is_required(user) else None


def _admit(session: Session, actor: Actor, user: User, now: datetime) -> None:
    forget_failures(user)
    user.last_login_at = now
    record(session, actor, "sign_in", "user", user.id, name=user.name)
