"""The second factor of users: set up, confirmed, used, turned off, reset.

Whoever tries codes against a user's secret holds the user's row until it is decided, so that two requests can't spend
one code, and every wrong one counts to the lock-out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.auth import totp, vault
from callcenter.auth.access import Access
from callcenter.auth.actions import find_user
from callcenter.auth.lockout import count_failure, forget_failures, lock_of
from callcenter.auth.models import RecoveryCode, SecondFactor, User
from callcenter.auth.rights import check_user
from callcenter.db.session import tenant_session
from callcenter.errors import AppError, Conflict, InvalidInput, NotFound
from callcenter.tenancy.models import Enterprise

WRONG = "This code does not fit. Wait for the next one, and look whether your phone's clock is right."


@dataclass(frozen=True)
class Pairing:
    """What an authenticator app needs: the secret in base 32, or the address that stands in the QR code."""

    secret: str
    address: str


@dataclass(frozen=True)
class State:
    """A user's second factor. `required`: one of their roles wants it. `recovery_left`: unused recovery codes."""

    on: bool
    since: datetime | None
    required: bool
    recovery_left: int


def wrong_code() -> InvalidInput:
    """The error of a code that does not fit, or was used before."""
    return InvalidInput(WRONG, code="wrong_code", fields={"code": WRONG})


def is_required(user: User) -> bool:
    """Whether an enabled role of `user` wants a second factor."""
    return any(role.enabled and role.second_factor_required for role in user.roles)


def confirmed_factor(session: Session, user_id: int) -> SecondFactor | None:
    """The user's second factor, if it counts."""
    factor = session.get(SecondFactor, user_id)
    return factor if factor is not None and factor.confirmed_at is not None else None


def state_of(actor: Actor) -> State:
    """The actor's own second factor."""
    with tenant_session(actor.tenant_id) as session:
        user = _held(session, actor.user_id, lock=False)
        factor = confirmed_factor(session, user.id)
        unused = select(func.count()).where(RecoveryCode.user_id == user.id, RecoveryCode.used_at.is_(None))
        left = (session.scalar(unused) or 0) if factor is not None else 0
        return State(factor is not None, factor.confirmed_at if factor else None, is_required(user), left)


def begin(actor: Actor) -> Pairing:
    """A new secret for the actor; it counts once a code of it was given to `confirm`. Raises Conflict if one is on."""
    with tenant_session(actor.tenant_id) as session:
        user = _held(session, actor.user_id)
        if confirmed_factor(session, user.id) is not None:
            raise Conflict("The second factor is on already. Turn it off first.", code="second_factor_on")
        secret = totp.new_secret()
        factor = session.get(SecondFactor, user.id) or SecondFactor(user_id=user.id)
        factor.secret, factor.last_step = vault.seal(secret, _purpose(user)), 0
        session.add(factor)
        record(session, actor, "begin", "second_factor", user.id, name=user.name)
        code = session.scalars(select(Enterprise.code).where(Enterprise.id == actor.tenant_id)).one()
        return Pairing(secret, totp.address(secret, user.username, code))


def confirm(actor: Actor, code: str, now: datetime) -> list[str]:
    """Turn the second factor on by a code of the new secret; returns the recovery codes, which nobody can see again.

    Raises Conflict if none was begun or one is on, InvalidInput for a wrong code.
    """
    with tenant_session(actor.tenant_id) as session:
        user = _held(session, actor.user_id)
        factor = session.get(SecondFactor, user.id)
        if factor is None:
            raise Conflict("Begin anew: there is no secret to confirm.", code="second_factor_not_begun")
        if factor.confirmed_at is not None:
            raise Conflict("The second factor is on already. Turn it off first.", code="second_factor_on")
        step = totp.matching_step(_secret(factor, user), totp.plain(code), now, factor.last_step)
        if step is None:  # whoever stands here has seen the secret: there is nothing to guess, and nothing to count
            raise wrong_code()
        factor.confirmed_at, factor.last_step = now, step
        codes = _new_recovery(session, user)
        record(session, actor, "turn_on", "second_factor", user.id, name=user.name)
        return codes


def turn_off(actor: Actor, code: str, now: datetime) -> None:
    """Turn the actor's second factor off by one last code. Raises InvalidInput, LockedOut; Conflict if it is not on,
    or a role wants it."""
    error = None
    with tenant_session(actor.tenant_id) as session:
        user = _held(session, actor.user_id)
        if is_required(user):
            raise Conflict("One of your roles requires a second factor.", code="second_factor_required")
        error = spend(session, actor, user, code, now)
        if error is None:
            _remove(session, user)
            record(session, actor, "turn_off", "second_factor", user.id, name=user.name)
    if error is not None:
        raise error


def renew_recovery_codes(actor: Actor, code: str, now: datetime) -> list[str]:
    """Ten new recovery codes by one more code; the old ones are void. Raises InvalidInput, LockedOut, Conflict."""
    codes: list[str] = []
    with tenant_session(actor.tenant_id) as session:
        user = _held(session, actor.user_id)
        error = spend(session, actor, user, code, now)
        if error is None:
            codes = _new_recovery(session, user)
            record(session, actor, "renew_recovery_codes", "second_factor", user.id, name=user.name)
    if error is not None:
        raise error
    return codes


def reset(actor: Actor, user_id: int) -> None:
    """Take the second factor from a user who has lost it, and end their sessions.

    Raises NotFound, OwnerOnly, Forbidden, BeyondOwnRights; Conflict for oneself, or if there is none.
    """
    with tenant_session(actor.tenant_id) as session:
        user = find_user(session, actor, user_id)
        check_user(session, actor, user, Access.WRITE)
        if user.id == actor.user_id:
            raise Conflict("Turn your own second factor off on your profile page.", code="own_second_factor")
        if confirmed_factor(session, user.id) is None:
            raise Conflict("This user has no second factor.", code="second_factor_off")
        _remove(session, user)
        user.session_epoch += 1
        record(session, actor, "reset_second_factor", "user", user.id, name=user.name)


def spend(session: Session, actor: Actor, user: User, code: str, now: datetime) -> AppError | None:
    """Accept a code of the app or a recovery code of `user` (held in this transaction), once.

    The error that the caller raises after its commit (the count of failures has to be kept), or None. Raises Conflict
    where there is no second factor, or its secret can't be read any more.
    """
    factor = confirmed_factor(session, user.id)
    if factor is None:
        raise Conflict("The second factor is not on.", code="second_factor_off")
    if (lock := lock_of(user, now)) is not None:
        return lock
    given = totp.plain(code)
    if len(given) == totp.DIGITS:
        step = totp.matching_step(_secret(factor, user), given, now, factor.last_step)
        if step is not None:
            factor.last_step = step
            forget_failures(user)
            return None
    elif _spend_recovery(session, actor, user, given, now):
        forget_failures(user)
        return None
    lock = count_failure(user, now)
    action = "second_factor_failed" if lock is None else "locked_out"
    record(session, actor, action, "user", user.id, name=user.name)
    return lock or wrong_code()


def _spend_recovery(session: Session, actor: Actor, user: User, given: str, now: datetime) -> bool:
    row = session.scalars(
        select(RecoveryCode).where(
            RecoveryCode.user_id == user.id,
            RecoveryCode.code_hash == totp.recovery_hash(user.id, given),
            RecoveryCode.used_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        return False
    row.used_at = now
    record(session, actor, "use_recovery_code", "second_factor", user.id, name=user.name)
    return True


def _new_recovery(session: Session, user: User) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    codes = totp.new_recovery_codes()
    session.add_all(RecoveryCode(user_id=user.id, code_hash=totp.recovery_hash(user.id, c)) for c in codes)
    return codes


def _remove(session: Session, user: User) -> None:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    session.execute(delete(SecondFactor).where(SecondFactor.user_id == user.id))


def _held(session: Session, user_id: int | None, *, lock: bool = True) -> User:
    query = select(User).where(User.id == user_id)
    user = session.scalars(query.with_for_update(of=User) if lock else query).one_or_none()
    if user is None:
        raise NotFound("This user is gone.")
    return user


def _purpose(user: User) -> str:
    return f"second factor of {user.tenant_id}/{user.id}"


def _secret(factor: SecondFactor, user: User) -> str:
    try:
        return vault.unseal(factor.secret, _purpose(user))
    except vault.CannotOpen as error:
        raise Conflict(
            "The second factor can't be read: the installation's SECRET_KEY was changed. Use a recovery code, or ask"
            " your administrator to reset it.",
            code="second_factor_unreadable",
        ) from error
