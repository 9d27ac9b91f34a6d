"""Groups of the address book."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy import func, select

from callcenter.db.session import tenant_session
from crm.addressbook import groups
from crm.addressbook.groups import seen_by
from crm.addressbook.models import Contact, ContactGroup, ContactMember
from crm.addressbook.queries import group_row, group_rows
from web.http import current_actor, requires, tenant_id
from web.schemas.contacts import (
    ChangeContactGroupSchema,
    ContactGroupQuery,
    ContactGroupSchema,
    ContactGroupTreeSchema,
    NewContactGroupSchema,
)

blueprint = Blueprint(
    "contact_groups", __name__, url_prefix="/api/contact-groups", description="Groups of the address book"
)


@blueprint.get("")
@requires("contacts.read")
@blueprint.arguments(ContactGroupQuery, location="query")
@blueprint.response(200, ContactGroupTreeSchema)
def list_contact_groups(args: dict[str, Any]) -> dict[str, Any]:
    """The whole tree, at most 2,000 groups; with `search` those whose name holds it, and the ones above them."""
    actor = current_actor()
    with tenant_session(tenant_id()) as db:
        rows = group_rows(db, actor, args["search"])
        everybody = db.scalar(select(func.count()).select_from(Contact).where(seen_by(actor, Contact))) or 0
        # Whoever stands in a group that the user sees is seen too.
        visible = select(ContactGroup.id).where(seen_by(actor, ContactGroup))
        member = ContactMember
        grouped = db.scalar(select(func.count(member.contact_id.distinct())).where(member.group_id.in_(visible))) or 0
        return {"tree": rows, "all": everybody, "ungrouped": everybody - grouped}


@blueprint.post("")
@requires("contacts.write")
@blueprint.arguments(NewContactGroupSchema)
@blueprint.response(201, ContactGroupSchema)
def post_contact_group(given: dict[str, Any]) -> dict[str, Any]:
    """Add a group; below another one it is as private as that."""
    with tenant_session(tenant_id()) as db:
        made = groups.add_group(db, current_actor(), **given)
        return group_row(db, current_actor(), made.id)


@blueprint.get("/<int:group_id>")
@requires("contacts.read")
@blueprint.response(200, ContactGroupSchema)
def get_contact_group(group_id: int) -> dict[str, Any]:
    """One group."""
    with tenant_session(tenant_id()) as db:
        groups.find_group(db, current_actor(), group_id)
        return group_row(db, current_actor(), group_id)


@blueprint.patch("/<int:group_id>")
@requires("contacts.write")
@blueprint.arguments(ChangeContactGroupSchema)
@blueprint.response(200, ContactGroupSchema)
def patch_contact_group(given: dict[str, Any], group_id: int) -> dict[str, Any]:
    """Rename, move, enable, disable or publish a group."""
    with tenant_session(tenant_id()) as db:
        groups.change_group(db, current_actor(), group_id, given)
        return group_row(db, current_actor(), group_id)


@blueprint.delete("/<int:group_id>")
@requires("contacts.write")
@blueprint.response(204)
def delete_contact_group(group_id: int) -> None:
    """Delete an empty group; 409 counts and names what is in it."""
    with tenant_session(tenant_id()) as db:
        groups.delete_group(db, current_actor(), group_id)
