"""Dispositions: what agents can call the outcome of a call."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy import or_, select

from callcenter.db.session import tenant_session
from crm.models import Disposition
from dialer.actions import dispositions as actions
from web.http import current_actor, paged, requires, tenant_id
from web.schemas.dispositions import (
    DispositionChangesSchema,
    DispositionPageSchema,
    DispositionQuery,
    DispositionSchema,
    NewDispositionSchema,
)

blueprint = Blueprint("dispositions", __name__, url_prefix="/api/dispositions", description="Dispositions")


@blueprint.get("")
@requires()
@blueprint.arguments(DispositionQuery, location="query")
@blueprint.response(200, DispositionPageSchema)
def list_dispositions(args: dict[str, Any]) -> dict[str, Any]:
    """All dispositions, or those for one campaign (its own and the enterprise's), in the order of the panel."""
    query = select(Disposition).order_by(Disposition.position, Disposition.hot_key, Disposition.id)
    if "campaign_id" in args:
        query = query.where(or_(Disposition.campaign_id.is_(None), Disposition.campaign_id == args["campaign_id"]))
    if "enabled" in args:
        query = query.where(Disposition.enabled.is_(args["enabled"]))
    if "system" in args:
        query = query.where(Disposition.system.is_(args["system"]))
    with tenant_session(tenant_id()) as db:
        return paged(db, query, args)


@blueprint.post("")
@requires("dispositions.write")
@blueprint.arguments(NewDispositionSchema)
@blueprint.response(201, DispositionSchema)
def create_disposition(given: dict[str, Any]) -> Disposition:
    """A new disposition."""
    with tenant_session(tenant_id()) as db:
        return actions.create(db, current_actor(), given)


@blueprint.patch("/<int:disposition_id>")
@requires("dispositions.write")
@blueprint.arguments(DispositionChangesSchema)
@blueprint.response(200, DispositionSchema)
def change_disposition(given: dict[str, Any], disposition_id: int) -> Disposition:
    """Change it; the meaning of a built-in one stays."""
    with tenant_session(tenant_id()) as db:
        return actions.update(db, current_actor(), disposition_id, given)


@blueprint.delete("/<int:disposition_id>")
@requires("dispositions.write")
@blueprint.response(204)
def delete_disposition(disposition_id: int) -> None:
    """Delete one of the enterprise's own that no call carries."""
    with tenant_session(tenant_id()) as db:
        actions.delete(db, current_actor(), disposition_id)
