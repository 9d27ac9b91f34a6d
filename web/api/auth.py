"""Signing in and out, and the signed-in user's own settings."""

from __future__ import annotations

from typing import Any

from flask import jsonify, session
from flask_smorest import Blueprint
from flask_wtf.csrf import generate_csrf
from sqlalchemy import select

from callcenter import config
from callcenter.auth import halves, own, passwords, sessions
from callcenter.auth.models import User
from callcenter.auth.signin import SignedIn, sign_in
from callcenter.clock import utc_now
from callcenter.db.session import platform_session
from callcenter.tenancy.models import Enterprise
from web.http import SESSION_FIELD, client_ip, current_actor, identity, in_person, off_loop, public, requires
from web.limits import SIGN_IN_FAILURES, failed, limiter
from web.schemas.auth import (
    ChangePasswordSchema,
    ChangeProfileSchema,
    CsrfSchema,
    MeSchema,
    SignInHintsSchema,
    SignInSchema,
)
from web.schemas.second_factor import SecondStepSchema

HALF_FIELD = "half"  # of the cookie: the sign-in that waits for its second step
blueprint = Blueprint("auth", __name__, url_prefix="/api/auth", description="Sign in, sign out, own settings")


def me(who: sessions.Identity) -> dict[str, Any]:
    """What the interface must know of the signed-in user."""
    return {
        "user": who.user,
        "enterprise": who.enterprise,
        "permissions": sorted(who.permissions),
        "scope": who.scope.value,
    }


def open_for(done: SignedIn) -> sessions.Identity:
    """A session for who has signed in, and the cookie that names it."""
    session_id = sessions.open_session(done.user, done.enterprise, client_ip())
    session.clear()  # a new cookie and a new CSRF token: nothing of before the sign-in is kept
    session[SESSION_FIELD] = session_id
    return sessions.resolve(session_id, client_ip())


def _off_loop_verify(password: str, stored: str | None) -> bool:
    return off_loop(passwords.verify, password, stored)


@blueprint.get("/csrf")
@public
@blueprint.response(200, CsrfSchema)
def csrf_token() -> dict[str, str]:
    """The token to send as X-CSRFToken with every change. Fetch it anew after signing in."""
    return {"token": generate_csrf()}


@blueprint.get("/hints")
@public
@blueprint.response(200, SignInHintsSchema)
def hints() -> dict[str, Any]:
    """Users to try on a demo installation; nothing on any other."""
    nothing: dict[str, Any] = {"enterprise": None, "password": None, "users": []}
    if not config.load().demo:
        return nothing
    with platform_session() as db:
        enterprise = db.scalar(select(Enterprise).where(Enterprise.is_demo).order_by(Enterprise.id).limit(1))
        if enterprise is None:
            return nothing
        # Only those who came with the demo: whoever was added since has a password of their own.
        named = enterprise.settings.get("demo_users", [])
        users = db.scalars(
            select(User)
            .where(User.tenant_id == enterprise.id, User.enabled, User.username.in_(named))
            .order_by(User.id)
        ).all()
    password = enterprise.settings.get("demo_password")  # set by whoever loads the demo; made to be known
    return {"enterprise": enterprise.code, "password": password, "users": users}


@blueprint.post("/sign-in")
@public
@limiter.limit(SIGN_IN_FAILURES, deduct_when=failed)
@blueprint.arguments(SignInSchema)
@blueprint.response(200, MeSchema)
@blueprint.alt_response(202, schema=SecondStepSchema, success=True)
def post_sign_in(given: dict[str, str]) -> Any:
    """Sign in. 401 when something is wrong, 429 when locked out (`params.minutes` tells for how long); 202 when the
    password is right and a second step is to come: there is no session yet."""
    done = sign_in(
        given["enterprise"],
        given["username"],
        given["password"],
        ip=client_ip(),
        now=utc_now(),
        verify=_off_loop_verify,
    )
    if done.step is None:
        return me(open_for(done))
    half_id = halves.open_half(done.user, done.step)
    session.clear()
    session[HALF_FIELD] = half_id
    return jsonify({"step": done.step.value, "expires_in_s": halves.EXPIRES_S[done.step]}), 202


@blueprint.post("/sign-out")
@requires()
@in_person
@blueprint.response(204)
def post_sign_out() -> None:
    """End this session."""
    own.signed_out(current_actor())
    sessions.close_session(identity().session_id)
    session.clear()


@blueprint.get("/me")
@requires()
@blueprint.response(200, MeSchema)
def get_me() -> dict[str, Any]:
    """Who is signed in, where, and what they may do."""
    return me(identity())


@blueprint.patch("/me")
@requires()
@in_person
@blueprint.arguments(ChangeProfileSchema)
@blueprint.response(200, MeSchema)
def patch_me(given: dict[str, str]) -> dict[str, Any]:
    """Change one's own language or name."""
    own.change_profile(current_actor(), **given)
    return me(sessions.resolve(identity().session_id, client_ip()))


@blueprint.post("/password")
@requires()
@in_person
@blueprint.arguments(ChangePasswordSchema)
@blueprint.response(200, MeSchema)
def post_password(given: dict[str, str]) -> dict[str, Any]:
    """Change one's own password. All other sessions of the user end; this one goes on."""
    who = identity()
    user = own.change_password(
        current_actor(), given["current"], given["new"], verify=_off_loop_verify, hash_=_off_loop_hash
    )
    sessions.close_session(who.session_id)
    session[SESSION_FIELD] = sessions.open_session(user, who.enterprise, client_ip())
    return me(sessions.resolve(session[SESSION_FIELD], client_ip()))


def _off_loop_hash(password: str) -> str:
    return off_loop(passwords.hash_password, password)
