"""The signed-in user's own second factor (product row E1)."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter.auth import own, passwords, second_factor
from callcenter.clock import utc_now
from web import qr
from web.http import current_actor, in_person, off_loop, requires
from web.schemas.second_factor import (
    RecoveryCodesSchema,
    SecondFactorBeginSchema,
    SecondFactorCodeSchema,
    SecondFactorPairingSchema,
    SecondFactorStateSchema,
)

blueprint = Blueprint(
    "second_factor", __name__, url_prefix="/api/auth/second-factor", description="One's own second factor"
)


def shown(pairing: second_factor.Pairing) -> dict[str, str]:
    """A new secret for the outside."""
    return {"secret": pairing.secret, "address": pairing.address, "qr_svg": qr.svg(pairing.address)}


def _verify(password: str, stored: str | None) -> bool:
    return off_loop(passwords.verify, password, stored)


@blueprint.get("")
@requires()
@in_person
@blueprint.response(200, SecondFactorStateSchema)
def get_second_factor() -> second_factor.State:
    """Whether one's second factor is on, and how many recovery codes are left."""
    return second_factor.state_of(current_actor())


@blueprint.post("/begin")
@requires()
@in_person
@blueprint.arguments(SecondFactorBeginSchema)
@blueprint.response(200, SecondFactorPairingSchema)
def post_begin(given: dict[str, str]) -> dict[str, str]:
    """A new secret for one's authenticator app. It counts once it is confirmed by a code."""
    own.check_password(current_actor(), given["password"], verify=_verify)
    return shown(second_factor.begin(current_actor()))


@blueprint.post("/confirm")
@requires()
@in_person
@blueprint.arguments(SecondFactorCodeSchema)
@blueprint.response(200, RecoveryCodesSchema)
def post_confirm(given: dict[str, str]) -> dict[str, Any]:
    """Turn the second factor on by a code of the app. Answers with the recovery codes, this once."""
    return {"recovery_codes": second_factor.confirm(current_actor(), given["code"], utc_now())}


@blueprint.post("/off")
@requires()
@in_person
@blueprint.arguments(SecondFactorCodeSchema)
@blueprint.response(204)
def post_off(given: dict[str, str]) -> None:
    """Turn the second factor off by one more code. 409 if a role requires it."""
    second_factor.turn_off(current_actor(), given["code"], utc_now())


@blueprint.post("/recovery-codes")
@requires()
@in_person
@blueprint.arguments(SecondFactorCodeSchema)
@blueprint.response(200, RecoveryCodesSchema)
def post_recovery_codes(given: dict[str, str]) -> dict[str, Any]:
    """New recovery codes by one more code; the old ones are void."""
    return {"recovery_codes": second_factor.renew_recovery_codes(current_actor(), given["code"], utc_now())}
