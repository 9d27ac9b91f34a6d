"""Calls: the list and one call with its time line."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter.db.session import tenant_session
from dialer.queries import calls as queries
from web.http import current_actor, paged, requires, tenant_id
from web.schemas.calls import CallDetailSchema, CallPageSchema, CallQuery

blueprint = Blueprint("calls", __name__, url_prefix="/api/calls", description="Calls")


@blueprint.get("")
@requires("calls.read")
@blueprint.arguments(CallQuery, location="query")
@blueprint.response(200, CallPageSchema)
def list_calls(args: dict[str, Any]) -> dict[str, Any]:
    """The calls that the user sees, newest first."""
    actor = current_actor()
    with tenant_session(tenant_id()) as db:
        page = paged(db, queries.visible(db, actor, args), args)
        page["items"] = queries.rendered(db, actor, page["items"])
        return page


@blueprint.get("/<call_id>")
@requires("calls.read")
@blueprint.response(200, CallDetailSchema)
def get_call(call_id: str) -> dict[str, Any]:
    """One call with what happened in it."""
    with tenant_session(tenant_id()) as db:
        return queries.detail(db, current_actor(), call_id)
