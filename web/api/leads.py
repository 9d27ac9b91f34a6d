"""Leads: the people of lists."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.db.session import tenant_session
from callcenter.errors import NotFound
from crm.actions import lists as actions
from crm.models import Lead
from crm.queries import lists as queries
from crm.queries.card import shown
from web.http import current_actor, paged, requires, tenant_id
from web.schemas.leads import LeadChangesSchema, LeadPageSchema, LeadQuery, LeadSchema, NewLeadSchema

blueprint = Blueprint("leads", __name__, url_prefix="/api/leads", description="Leads")


def _render(actor: Actor, row: Any) -> dict[str, Any]:
    lead, owner, disposition, list_name = row
    names = (
        "id", "list_id", "customer_id", "name", "fields", "time_zone", "priority", "owner_id", "status", "attempts",
        "last_attempt_at", "last_outcome", "next_at", "created_at",
    )  # fmt: skip
    return {
        **{n: getattr(lead, n) for n in names},
        "list_name": list_name,
        "owner_name": owner or "",
        "phones": [shown(p, actor) for p in (lead.phone_e164, *lead.alt_phones)],
        "disposition": disposition,
    }


def _one(db: Session, lead_id: int) -> dict[str, Any]:
    row = db.execute(queries.leads(db, current_actor(), {}).where(Lead.id == lead_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such lead.")
    return _render(current_actor(), row)


@blueprint.get("")
@requires("lists.read")
@blueprint.arguments(LeadQuery, location="query")
@blueprint.response(200, LeadPageSchema)
def list_leads(args: dict[str, Any]) -> dict[str, Any]:
    """Leads, of one list or all, in the order they came."""
    actor = current_actor()
    with tenant_session(tenant_id()) as db:
        return paged(db, queries.leads(db, actor, args), args, lambda row: _render(actor, row))


@blueprint.post("")
@requires("lists.write")
@blueprint.arguments(NewLeadSchema)
@blueprint.response(201, LeadSchema)
def create_lead(given: dict[str, Any]) -> dict[str, Any]:
    """One lead by hand."""
    with tenant_session(tenant_id()) as db:
        lead = actions.create_lead(db, current_actor(), given.pop("list_id"), given)
        return _one(db, lead.id)


@blueprint.get("/<int:lead_id>")
@requires("lists.read")
@blueprint.response(200, LeadSchema)
def get_lead(lead_id: int) -> dict[str, Any]:
    """One lead."""
    with tenant_session(tenant_id()) as db:
        return _one(db, lead_id)


@blueprint.patch("/<int:lead_id>")
@requires("lists.write")
@blueprint.arguments(LeadChangesSchema)
@blueprint.response(200, LeadSchema)
def change_lead(given: dict[str, Any], lead_id: int) -> dict[str, Any]:
    """Change a lead; `fields` field by field, null removes a value."""
    with tenant_session(tenant_id()) as db:
        _one(db, lead_id)
        actions.update_lead(db, current_actor(), lead_id, given)
        return _one(db, lead_id)


@blueprint.post("/<int:lead_id>/reset")
@requires("lists.write")
@blueprint.response(200, LeadSchema)
def reset_lead(lead_id: int) -> dict[str, Any]:
    """The lead starts anew."""
    with tenant_session(tenant_id()) as db:
        _one(db, lead_id)
        actions.reset_lead(db, current_actor(), lead_id)
        return _one(db, lead_id)
