"""Departments as a tree (product row E5)."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from callcenter.auth import queries
from callcenter.db.session import tenant_session
from callcenter.errors import NotFound
from callcenter.tenancy import departments
from web.http import current_actor, requires, tenant_id
from web.schemas.people import ChangeDepartmentSchema, DepartmentSchema, DepartmentTreeSchema, NewDepartmentSchema

blueprint = Blueprint("departments", __name__, url_prefix="/api/departments", description="The tree of departments")


def _view(db: Session, department_id: int) -> dict[str, Any]:
    for row in queries.departments(db):
        if row["id"] == department_id:
            return row
    raise NotFound("There is no such department.")


@blueprint.get("")
@requires("departments.read")
@blueprint.response(200, DepartmentTreeSchema)
def get_departments() -> dict[str, Any]:
    """The whole tree: at most 2,000 departments."""
    with tenant_session(tenant_id()) as db:
        return {"tree": queries.departments(db)}


@blueprint.post("")
@requires("departments.write")
@blueprint.arguments(NewDepartmentSchema)
@blueprint.response(201, DepartmentSchema)
def post_department(given: dict[str, Any]) -> dict[str, Any]:
    """Add a department."""
    department_id = departments.add_department(current_actor(), **given)
    with tenant_session(tenant_id()) as db:
        return _view(db, department_id)


@blueprint.get("/<int:department_id>")
@requires("departments.read")
@blueprint.response(200, DepartmentSchema)
def get_department(department_id: int) -> dict[str, Any]:
    """One department."""
    with tenant_session(tenant_id()) as db:
        return _view(db, department_id)


@blueprint.patch("/<int:department_id>")
@requires("departments.write")
@blueprint.arguments(ChangeDepartmentSchema)
@blueprint.response(200, DepartmentSchema)
def patch_department(given: dict[str, Any], department_id: int) -> dict[str, Any]:
    """Rename or move a department, or give it another manager."""
    departments.change_department(current_actor(), department_id, **given)
    with tenant_session(tenant_id()) as db:
        return _view(db, department_id)


@blueprint.delete("/<int:department_id>")
@requires("departments.write")
@blueprint.response(204)
def delete_department(department_id: int) -> None:
    """Delete an empty department; 409 says what is still in it."""
    departments.delete_department(current_actor(), department_id)
