"""Custom fields of leads and customers."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy import select

from callcenter.db.session import tenant_session
from crm.actions import lists as actions
from crm.models import FieldDef
from web.http import current_actor, paged, requires, tenant_id
from web.schemas.fields import FieldChangesSchema, FieldPageSchema, FieldQuery, FieldSchema, NewFieldSchema

blueprint = Blueprint("fields", __name__, url_prefix="/api/fields", description="Custom fields")


@blueprint.get("")
@requires()
@blueprint.arguments(FieldQuery, location="query")
@blueprint.response(200, FieldPageSchema)
def list_fields(args: dict[str, Any]) -> dict[str, Any]:
    """All custom fields, in their order."""
    with tenant_session(tenant_id()) as db:
        return paged(db, select(FieldDef).order_by(FieldDef.position, FieldDef.id), args)


@blueprint.post("")
@requires("lists.write")
@blueprint.arguments(NewFieldSchema)
@blueprint.response(201, FieldSchema)
def create_field(given: dict[str, Any]) -> FieldDef:
    """A new field."""
    with tenant_session(tenant_id()) as db:
        return actions.create_field(db, current_actor(), given)


@blueprint.patch("/<int:field_id>")
@requires("lists.write")
@blueprint.arguments(FieldChangesSchema)
@blueprint.response(200, FieldSchema)
def change_field(given: dict[str, Any], field_id: int) -> FieldDef:
    """Change a field; its key and kind stay."""
    with tenant_session(tenant_id()) as db:
        return actions.update_field(db, current_actor(), field_id, given)


@blueprint.delete("/<int:field_id>")
@requires("lists.write")
@blueprint.response(204)
def delete_field(field_id: int) -> None:
    """Delete the field; values stay with the records."""
    with tenant_session(tenant_id()) as db:
        actions.delete_field(db, current_actor(), field_id)
