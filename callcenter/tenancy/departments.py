"""Changes to the tree of departments."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.auth.access import load_tree, way_up
from callcenter.auth.models import User
from callcenter.db.outbox import settings_changed
from callcenter.db.session import tenant_session
from callcenter.errors import Conflict, InvalidInput, NotFound
from callcenter.tenancy.models import Department

MAX_DEPTH = 12
MAX_DEPARTMENTS = 2000


def add_department(actor: Actor, *, name: str, parent_id: int | None = None, manager_id: int | None = None) -> int:
    """Add a department; returns the id. Raises InvalidInput or Conflict naming the field."""
    with tenant_session(actor.tenant_id) as session:
        if (session.scalar(select(func.count()).select_from(Department)) or 0) >= MAX_DEPARTMENTS:
            raise Conflict("There are too many departments.", code="too_many", params={"max": MAX_DEPARTMENTS})
        department = Department(name="", parent_id=None)
        _fill(session, department, name, parent_id, manager_id)
        session.add(department)
        session.flush()
        record(
            session,
            actor,
            "create",
            "department",
            department.id,
            name=department.name,
            after=_seen(session, department),
        )
        return department.id


def change_department(actor: Actor, department_id: int, **changes: Any) -> None:
    """Change those of name, parent_id and manager_id that are given. A department can't be moved below itself."""
    with tenant_session(actor.tenant_id) as session:
        department = _find(session, department_id)
        before = _seen(session, department)
        given: dict[str, Any] = {
            "name": department.name,
            "parent_id": department.parent_id,
            "manager_id": department.manager_id,
        }
        given |= changes
        _fill(session, department, given["name"], given["parent_id"], given["manager_id"])
        after = _seen(session, department)
        if before != after:
            record(
                session, actor, "update", "department", department.id, name=department.name, before=before, after=after
            )
            for user_id in session.scalars(select(User.id).where(User.department_id == department.id)):
                settings_changed(session, "user", user_id)


def delete_department(actor: Actor, department_id: int) -> None:
    """Delete an empty department. Raises Conflict, saying what is still in it."""
    with tenant_session(actor.tenant_id) as session:
        department = _find(session, department_id)
        children = session.scalar(
            select(func.count()).select_from(Department).where(Department.parent_id == department_id)
        )
        if children:
            raise Conflict(
                "It has departments below it. Move or delete them first.",
                code="department_has_children",
                params={"count": children},
            )
        members = session.scalar(select(func.count()).select_from(User).where(User.department_id == department_id))
        if members:
            raise Conflict(
                "It has members. Move them to another department first.",
                code="department_has_members",
                params={"count": members},
            )
        record(
            session,
            actor,
            "delete",
            "department",
            department.id,
            name=department.name,
            before=_seen(session, department),
        )
        session.delete(department)


def _fill(session: Session, department: Department, name: str, parent_id: int | None, manager_id: int | None) -> None:
    name = name.strip()
    if not name:
        raise InvalidInput("Give the department a name.", fields={"name": "Give the department a name."})
    tree = load_tree(session)
    if parent_id is not None:
        if parent_id not in tree:
            raise InvalidInput("Choose where it belongs.", fields={"parent_id": "This department is gone."})
        way = way_up(parent_id, tree)
        if department.id is not None and department.id in way:
            message = "A department can't be moved below itself."
            raise InvalidInput(message, code="department_below_itself", fields={"parent_id": message})
        if len(way) >= MAX_DEPTH:
            raise InvalidInput("The tree is too deep.", fields={"parent_id": f"At most {MAX_DEPTH} levels."})
    if manager_id is not None and session.get(User, manager_id) is None:
        raise InvalidInput("Choose the manager again.", fields={"manager_id": "This user is not there any more."})
    same = (
        select(func.count())
        .select_from(Department)
        .where(Department.name == name, Department.parent_id.is_not_distinct_from(parent_id))
    )
    if department.id is not None:
        same = same.where(Department.id != department.id)
    if session.scalar(same):
        raise Conflict(
            "There is a department of this name in the same place.",
            code="department_name_taken",
            fields={"name": "Choose another name."},
        )
    department.name, department.parent_id, department.manager_id = name, parent_id, manager_id


def _find(session: Session, department_id: int) -> Department:
    department = session.get(Department, department_id)
    if department is None:
        raise NotFound("There is no such department.")
    return department


def _seen(session: Session, department: Department) -> dict[str, Any]:
    """What the audit log keeps: names, since ids say nothing once the row is gone."""
    parent = session.get(Department, department.parent_id) if department.parent_id is not None else None
    manager = session.get(User, department.manager_id) if department.manager_id is not None else None
    return {
        "name": department.name,
        "parent": parent.name if parent is not None else None,
        "manager": manager.name if manager is not None else None,
    }
