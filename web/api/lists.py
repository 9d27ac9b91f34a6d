"""Lists of leads."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from callcenter.db.session import tenant_session
from callcenter.errors import NotFound
from crm.actions import lists as actions
from crm.models import LeadList
from crm.queries import lists as queries
from web.http import current_actor, paged, requires, tenant_id
from web.schemas.lists import (
    AssignSchema,
    CountSchema,
    ListChangesSchema,
    ListPageSchema,
    ListQuery,
    ListSchema,
    NewListSchema,
    ResetSchema,
)

blueprint = Blueprint("lists", __name__, url_prefix="/api/lists", description="Lists of leads")


def _one(db: Session, row: LeadList) -> dict[str, Any]:
    return queries.rendered(db, [row])[0]


@blueprint.get("")
@requires("lists.read")
@blueprint.arguments(ListQuery, location="query")
@blueprint.response(200, ListPageSchema)
def list_lists(args: dict[str, Any]) -> dict[str, Any]:
    """All lists with how far they are worked, the newest first."""
    with tenant_session(tenant_id()) as db:
        page = paged(db, queries.lists(args["search"], enabled=args.get("enabled")), args)
        page["items"] = queries.rendered(db, page["items"])
        return page


@blueprint.post("")
@requires("lists.write")
@blueprint.arguments(NewListSchema)
@blueprint.response(201, ListSchema)
def create_list(given: dict[str, Any]) -> dict[str, Any]:
    """An empty list."""
    with tenant_session(tenant_id()) as db:
        return _one(db, actions.create_list(db, current_actor(), given))


@blueprint.get("/<int:list_id>")
@requires("lists.read")
@blueprint.response(200, ListSchema)
def get_list(list_id: int) -> dict[str, Any]:
    """One list."""
    with tenant_session(tenant_id()) as db:
        row = db.get(LeadList, list_id)
        if row is None:
            raise NotFound("There is no such list.")
        return _one(db, row)


@blueprint.patch("/<int:list_id>")
@requires("lists.write")
@blueprint.arguments(ListChangesSchema)
@blueprint.response(200, ListSchema)
def change_list(given: dict[str, Any], list_id: int) -> dict[str, Any]:
    """Rename, enable, disable, set an expiry."""
    with tenant_session(tenant_id()) as db:
        return _one(db, actions.update_list(db, current_actor(), list_id, given))


@blueprint.delete("/<int:list_id>")
@requires("lists.write")
@blueprint.response(204)
def delete_list(list_id: int) -> None:
    """Delete a list with its leads. Calls and customers stay."""
    with tenant_session(tenant_id()) as db:
        actions.delete_list(db, current_actor(), list_id)


@blueprint.put("/<int:list_id>/campaign")
@requires("campaigns.write")
@blueprint.arguments(AssignSchema)
@blueprint.response(200, ListSchema)
def assign_list(given: dict[str, Any], list_id: int) -> dict[str, Any]:
    """Feed a campaign with this list, or none (null)."""
    with tenant_session(tenant_id()) as db:
        return _one(db, actions.assign(db, current_actor(), list_id, given["campaign_id"]))


@blueprint.post("/<int:list_id>/reset")
@requires("lists.write")
@blueprint.arguments(ResetSchema)
@blueprint.response(200, CountSchema)
def reset_list(given: dict[str, Any], list_id: int) -> dict[str, int]:
    """All leads with one of the statuses start anew."""
    with tenant_session(tenant_id()) as db:
        return {"count": actions.reset_list(db, current_actor(), list_id, given["statuses"])}
