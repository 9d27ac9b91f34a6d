"""Follow-up notes on a customer's history."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy import select

from callcenter.auth.models import User
from callcenter.db.session import tenant_session
from crm.actions import customers as actions
from crm.models import FollowUp
from crm.queries import card, typed
from web.http import current_actor, paged, requires, tenant_id
from web.schemas.followups import FollowUpPageSchema, FollowUpQuery, FollowUpSchema, NewFollowUpSchema

blueprint = Blueprint("followups", __name__, url_prefix="/api/customers", description="Follow-ups")


def _render(row: Any) -> dict[str, Any]:
    note, name = row
    names = ("id", "text", "user_id", "call_id", "created_at")
    return {**{n: getattr(note, n) for n in names}, "user_name": name or ""}


@blueprint.get("/<int:customer_id>/follow-ups")
@requires("customers.read")
@blueprint.arguments(FollowUpQuery, location="query")
@blueprint.response(200, FollowUpPageSchema)
def list_follow_ups(args: dict[str, Any], customer_id: int) -> dict[str, Any]:
    """Notes, the newest first."""
    with tenant_session(tenant_id()) as db:
        card.find(db, current_actor(), customer_id=customer_id)
        query = typed(
            select(FollowUp, User.name)
            .outerjoin(User, User.id == FollowUp.user_id)
            .where(FollowUp.customer_id == customer_id)
            .order_by(FollowUp.id.desc())
        )
        return paged(db, query, args, _render)


@blueprint.post("/<int:customer_id>/follow-ups")
@requires("customers.write")
@blueprint.arguments(NewFollowUpSchema)
@blueprint.response(201, FollowUpSchema)
def add_follow_up(given: dict[str, Any], customer_id: int) -> dict[str, Any]:
    """Add a note."""
    actor = current_actor()
    with tenant_session(tenant_id()) as db:
        note = actions.add_follow_up(db, actor, customer_id, given["text"])
        db.refresh(note)
        return _render((note, actor.name))
