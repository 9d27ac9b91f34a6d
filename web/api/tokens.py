"""API tokens: what other systems sign in with (product rows E1, P1). No token makes, lists or ends tokens."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter.auth import tokens
from callcenter.auth.models import ApiToken
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.errors import NotFound
from web.http import current_actor, in_person, paged, requires, tenant_id
from web.schemas.tokens import (
    ApiTokenPageSchema,
    ApiTokenQuerySchema,
    ApiTokenSchema,
    MadeApiTokenSchema,
    NewApiTokenSchema,
)

blueprint = Blueprint("tokens", __name__, url_prefix="/api/api-tokens", description="API tokens")


def _view(token_id: int) -> dict[str, Any]:
    actor = current_actor()
    with tenant_session(tenant_id()) as db:
        row = db.scalars(tokens.tokens_query(db, actor, {}).where(ApiToken.id == token_id)).one_or_none()
        if row is None:
            raise NotFound("There is no such token.")
        return tokens.TokenView(db, actor, utc_now())(row)


@blueprint.get("")
@requires("api.tokens")
@in_person
@blueprint.arguments(ApiTokenQuerySchema, location="query")
@blueprint.response(200, ApiTokenPageSchema)
def list_tokens(args: dict[str, Any]) -> dict[str, Any]:
    """One's own tokens, and with users.write those of the users one sees; the newest first."""
    now, actor = utc_now(), current_actor()
    with tenant_session(tenant_id()) as db:
        query = tokens.tokens_query(db, actor, {**args, "now": now})
        return paged(db, query, args, tokens.TokenView(db, actor, now))


@blueprint.post("")
@requires("api.tokens")
@in_person
@blueprint.arguments(NewApiTokenSchema)
@blueprint.response(201, MadeApiTokenSchema)
def post_token(given: dict[str, Any]) -> dict[str, Any]:
    """Make a token that acts for oneself. The answer is the only one that has it."""
    token_id, token = tokens.make_token(current_actor(), **given, now=utc_now())
    return {**_view(token_id), "token": token}


@blueprint.get("/<int:token_id>")
@requires("api.tokens")
@in_person
@blueprint.response(200, ApiTokenSchema)
def get_token(token_id: int) -> dict[str, Any]:
    """One token, without the token itself."""
    return _view(token_id)


@blueprint.post("/<int:token_id>/revoke")
@requires("api.tokens")
@in_person
@blueprint.response(200, ApiTokenSchema)
def post_revoke(token_id: int) -> dict[str, Any]:
    """End a token at once and for ever."""
    tokens.revoke_token(current_actor(), token_id, utc_now())
    return _view(token_id)
