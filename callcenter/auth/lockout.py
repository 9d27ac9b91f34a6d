"""The lock after wrong passwords and wrong codes of the second factor; both count to the same five."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil
from typing import Final

from callcenter.auth.models import User
from callcenter.errors import AppError

FAILURES_ALLOWED: Final = 5
LOCK_MIN: Final = 15


class LockedOut(AppError):
    """Too many wrong passwords or codes; `params["minutes"]` until the next try."""

    code = "locked_out"
    status = 429


def locked(left: timedelta) -> LockedOut:
    """The error of somebody who is locked out for another `left`."""
    minutes = max(1, ceil(left.total_seconds() / 60))
    return LockedOut(
        f"Too many wrong passwords. Try again in {minutes} minutes, or ask your administrator to set a new password.",
        params={"minutes": minutes},
    )


def lock_of(user: User, now: datetime) -> LockedOut | None:
    """The error if `user` is locked out at `now`."""
    if user.locked_until is not None and user.locked_until > now:
        return locked(user.locked_until - now)
    return None


def count_failure(user: User, now: datetime) -> LockedOut | None:
    """Count a wrong password or code of `user` (held in this transaction); the error if it was one too many."""
    user.failed_logins = 1 if user.locked_until is not None else user.failed_logins + 1
    user.locked_until = None
    if user.failed_logins < FAILURES_ALLOWED:
        return None
    user.locked_until = now + timedelta(minutes=LOCK_MIN)
    return locked(timedelta(minutes=LOCK_MIN))


def forget_failures(user: User) -> None:
    """Password and code were right: the count starts anew."""
    user.failed_logins, user.locked_until = 0, None
