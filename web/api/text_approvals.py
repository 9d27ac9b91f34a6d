"""Texts that wait for a supervisor."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter.db.session import tenant_session
from smsgateway.sending import approvals, queries
from web.http import PageQuery, current_actor, paged, requires, tenant_id
from web.schemas.text_desk import TextApprovalPageSchema, TextApprovalSchema, TextPassSchema, TextRejectSchema
from web.schemas.texts import TextSendSchema

blueprint = Blueprint(
    "text_approvals", __name__, url_prefix="/api/text-approvals", description="Texts that wait for approval"
)


@blueprint.get("")
@requires("texts.approve")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, TextApprovalPageSchema)
def list_approvals(args: dict[str, Any]) -> dict[str, Any]:
    """Sends with texts that wait, the oldest first: those of the people whom the user may see."""
    actor = current_actor()
    with tenant_session(tenant_id()) as db:
        page = paged(db, approvals.waiting(db, actor), args)
        page["items"] = [approvals.shown(db, actor, send) for send in page["items"]]
        return page


@blueprint.get("/<int:send_id>")
@requires("texts.approve")
@blueprint.response(200, TextApprovalSchema)
def get_approval(send_id: int) -> dict[str, Any]:
    """One send with what of it waits."""
    actor = current_actor()
    with tenant_session(tenant_id()) as db:
        return approvals.shown(db, actor, queries.find(db, actor, send_id))


@blueprint.post("/<int:send_id>/pass")
@requires("texts.approve")
@blueprint.arguments(TextPassSchema)
@blueprint.response(202, TextSendSchema)
def pass_send(given: dict[str, Any], send_id: int) -> dict[str, Any]:
    """Let pass what waits; it is judged again by all other checks."""
    approvals.let_pass(current_actor(), send_id, given["reason"])
    with tenant_session(tenant_id()) as db:
        return queries.one(db, current_actor(), send_id)


@blueprint.post("/<int:send_id>/reject")
@requires("texts.approve")
@blueprint.arguments(TextRejectSchema)
@blueprint.response(202, TextSendSchema)
def reject_send(given: dict[str, Any], send_id: int) -> dict[str, Any]:
    """Refuse what waits; the sender is told why."""
    approvals.reject(current_actor(), send_id, given["reason"])
    with tenant_session(tenant_id()) as db:
        return queries.one(db, current_actor(), send_id)
