"""Sign-ins that wait for their second step: a record in Valkey, named by a random id in the browser's signed cookie.

    half:{id}   hash: tenant, user, epoch, step; expires by itself

It is no session: nothing but the second step can be done with it. It ends when the second step is done, and with the
user's `session_epoch`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import redis

from callcenter.auth.models import User
from callcenter.errors import AppError, Unavailable
from callcenter.events import streams


class Step(StrEnum):
    """What stands between the password and the session."""

    CODE = "code"  # a code of the user's second factor
    SETUP = "setup"  # a role wants a second factor and the user has none yet


EXPIRES_S: Final = {Step.CODE: 300, Step.SETUP: 900}  # to set it up, an app may have to be installed first


class StepEnded(AppError):
    """The password was given too long ago, in another browser, or not at all."""

    code = "step_ended"
    status = 401


@dataclass(frozen=True)
class Half:
    """A sign-in with the right password."""

    id: str
    tenant_id: int
    user_id: int
    epoch: int
    step: Step


def _key(half_id: str) -> str:
    return f"half:{half_id}"


def open_half(user: User, step: Step) -> str:
    """Remember that `user` gave the right password; returns the id. Raises Unavailable without Valkey."""
    half_id = secrets.token_urlsafe(32)
    mapping: Any = {"tenant": user.tenant_id, "user": user.id, "epoch": user.session_epoch, "step": step.value}
    try:
        pipe = streams.client().pipeline()
        pipe.hset(_key(half_id), mapping=mapping)
        pipe.expire(_key(half_id), EXPIRES_S[step])
        pipe.execute()
    except redis.RedisError as error:
        raise Unavailable("Sign-in is not possible just now. Try again in a moment.") from error
    return half_id


def read_half(half_id: str | None, step: Step) -> Half:
    """The sign-in that waits for `step`. Raises StepEnded, or Unavailable without Valkey."""
    try:
        raw: Any = streams.client().hmget(_key(half_id), ["tenant", "user", "epoch", "step"]) if half_id else ()
    except redis.RedisError as error:
        raise Unavailable("Sign-in is not possible just now. Try again in a moment.") from error
    found = [value.decode() for value in raw if value is not None]
    if half_id is None or len(found) != 4 or found[3] != step.value:
        raise StepEnded("This took too long. Give your password once more.")
    return Half(half_id, int(found[0]), int(found[1]), int(found[2]), step)


def close_half(half_id: str) -> None:
    """The second step is done."""
    streams.client().delete(_key(half_id))
