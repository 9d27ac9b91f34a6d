"""The second step of a sign-in: after the password, before there is a session (product row E1).

`POST /api/auth/sign-in` has answered 202 and put the name of the half-done sign-in into the browser's cookie.
"""

from __future__ import annotations

from typing import Any

from flask import session
from flask_smorest import Blueprint

from callcenter.auth import halves, second_factor, signin
from callcenter.auth.halves import Step
from callcenter.clock import utc_now
from web.api.auth import HALF_FIELD, me, open_for
from web.api.second_factor import shown
from web.http import client_ip, public
from web.limits import SIGN_IN_FAILURES, failed, limiter
from web.schemas.auth import MeSchema
from web.schemas.second_factor import (
    SecondFactorCodeSchema,
    SecondFactorPairingSchema,
    SecondFactorSignedInSchema,
)

blueprint = Blueprint("sign_in_steps", __name__, url_prefix="/api/auth/sign-in", description="The second step")


@blueprint.post("/code")
@public
@limiter.limit(SIGN_IN_FAILURES, deduct_when=failed)
@blueprint.arguments(SecondFactorCodeSchema)
@blueprint.response(200, MeSchema)
def post_code(given: dict[str, str]) -> dict[str, Any]:
    """Sign in by a code of the app or a recovery code. 422 `wrong_code`, 429 when locked out, 401 `step_ended`."""
    half = halves.read_half(session.get(HALF_FIELD), Step.CODE)
    done = signin.second_step(half, given["code"], ip=client_ip(), now=utc_now())
    halves.close_half(half.id)
    return me(open_for(done))


@blueprint.post("/begin")
@public
@limiter.limit(SIGN_IN_FAILURES, deduct_when=failed)
@blueprint.response(200, SecondFactorPairingSchema)
def post_begin() -> dict[str, str]:
    """A new secret for who has to set a second factor up before they may go on."""
    half = halves.read_half(session.get(HALF_FIELD), Step.SETUP)
    return shown(second_factor.begin(signin.actor_of(half, client_ip())))


@blueprint.post("/confirm")
@public
@limiter.limit(SIGN_IN_FAILURES, deduct_when=failed)
@blueprint.arguments(SecondFactorCodeSchema)
@blueprint.response(200, SecondFactorSignedInSchema)
def post_confirm(given: dict[str, str]) -> dict[str, Any]:
    """Turn the second factor on by a code of the app, and sign in. Answers with the recovery codes, this once."""
    half = halves.read_half(session.get(HALF_FIELD), Step.SETUP)
    codes = second_factor.confirm(signin.actor_of(half, client_ip()), given["code"], utc_now())
    done = signin.admit_after_setup(half, ip=client_ip(), now=utc_now())
    halves.close_half(half.id)
    return {"me": me(open_for(done)), "recovery_codes": codes}
