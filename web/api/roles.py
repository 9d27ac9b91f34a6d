"""Roles (product row E3)."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from callcenter.auth import roles
from callcenter.auth.models import Role
from callcenter.auth.queries import permission_groups, role_view, roles_query
from callcenter.db.session import tenant_session
from web.http import current_actor, identity, paged, requires, tenant_id
from web.schemas.people import (
    ChangeRoleSchema,
    NewRoleSchema,
    PermissionsSchema,
    RolePageSchema,
    RoleQuerySchema,
    RoleSchema,
)

blueprint = Blueprint("roles", __name__, url_prefix="/api/roles", description="Roles and permissions")


def _view(db: Session, role_id: int) -> dict[str, Any]:
    roles.find_role(db, role_id)
    query = roles_query({"state": "all", "search": ""}).where(Role.id == role_id)
    return role_view(db.execute(query).one())


@blueprint.get("")
@requires("roles.read")
@blueprint.arguments(RoleQuerySchema, location="query")
@blueprint.response(200, RolePageSchema)
def list_roles(args: dict[str, Any]) -> dict[str, Any]:
    """Roles, the built-in ones first: all, enabled or disabled."""
    with tenant_session(tenant_id()) as db:
        return paged(db, roles_query(args), args, role_view)


@blueprint.get("/permissions")
@requires("roles.read")
@blueprint.response(200, PermissionsSchema)
def get_permissions() -> dict[str, Any]:
    """All permissions by function, and those that one may give."""
    return {
        "groups": permission_groups(is_platform=identity().enterprise.is_platform),
        "own": sorted(identity().permissions),
    }


@blueprint.post("")
@requires("roles.write")
@blueprint.arguments(NewRoleSchema)
@blueprint.response(201, RoleSchema)
def post_role(given: dict[str, Any]) -> dict[str, Any]:
    """Add a role."""
    role_id = roles.add_role(current_actor(), **given)
    with tenant_session(tenant_id()) as db:
        return _view(db, role_id)


@blueprint.get("/<int:role_id>")
@requires("roles.read")
@blueprint.response(200, RoleSchema)
def get_role(role_id: int) -> dict[str, Any]:
    """One role."""
    with tenant_session(tenant_id()) as db:
        return _view(db, role_id)


@blueprint.patch("/<int:role_id>")
@requires("roles.write")
@blueprint.arguments(ChangeRoleSchema)
@blueprint.response(200, RoleSchema)
def patch_role(given: dict[str, Any], role_id: int) -> dict[str, Any]:
    """Change a role; its users have the new permissions with their next request."""
    roles.change_role(current_actor(), role_id, **given)
    with tenant_session(tenant_id()) as db:
        return _view(db, role_id)


@blueprint.delete("/<int:role_id>")
@requires("roles.write")
@blueprint.response(204)
def delete_role(role_id: int) -> None:
    """Delete a role; its users lose its permissions at once. A built-in one stays."""
    roles.delete_role(current_actor(), role_id)
