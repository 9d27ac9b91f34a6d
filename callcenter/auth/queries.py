"""What is asked about users, roles and departments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.auth.access import Access, access_level, load_tree, viewer_of, visible_user_ids, way_up
from callcenter.auth.models import Role, SecondFactor, User, UserRole
from callcenter.auth.permissions import WHOLE, givable
from callcenter.tenancy.models import Department


def like(text: str) -> str:
    """`text` as a pattern that finds it anywhere, its own % and _ meant as they are."""
    escaped = text.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def users_query(session: Session, actor: Actor, args: Mapping[str, Any]) -> Select[User]:
    """The users that `actor` sees, by `state` (all, enabled, disabled), `search`, `department_id` (with those below),
    `role_id`; in order of name."""
    query = select(User).order_by(func.lower(User.name), User.id)
    seen = visible_user_ids(session, actor)
    if seen is not None:
        query = query.where(User.id.in_(seen))
    if args["state"] != "all":
        query = query.where(User.enabled.is_(args["state"] == "enabled"))
    if args["search"]:
        pattern = like(args["search"])
        query = query.where(
            or_(User.name.ilike(pattern), User.username.ilike(pattern), User.service_number.like(pattern))
        )
    if args["department_id"] is not None:
        tree = load_tree(session)
        below = [d for d in tree if args["department_id"] in way_up(d, tree)]
        query = query.where(User.department_id.in_(below))
    if args["role_id"] is not None:
        query = query.where(User.id.in_(select(UserRole.user_id).where(UserRole.role_id == args["role_id"])))
    return query


class UserView:
    """Makes the outside's view of users: names of departments, and what `actor` may do with each."""

    def __init__(self, session: Session, actor: Actor) -> None:
        self.viewer = viewer_of(session, actor)
        self.tree = load_tree(session)
        self.names = {d.id: d.name for d in session.scalars(select(Department))}
        with_one = select(SecondFactor.user_id).where(SecondFactor.confirmed_at.is_not(None))
        self.second_factors = set(session.scalars(with_one))

    def __call__(self, user: User) -> dict[str, Any]:
        level = (
            Access.FULL if self.viewer is None else access_level(self.viewer, user.id, user.department_id, self.tree)
        )
        fields = (
            "id", "username", "name", "enabled", "built_in", "department_id", "service_number", "texts_need_approval",
            "locale", "locked_until", "last_login_at", "created_at",
        )  # fmt: skip
        return {
            **{f: getattr(user, f) for f in fields},
            "department_name": self.names.get(user.department_id) if user.department_id is not None else None,
            "roles": sorted(user.roles, key=lambda r: r.id),
            "access": level.name.lower(),
            "second_factor": user.id in self.second_factors,
        }


def roles_query(args: Mapping[str, Any]) -> Select[Any]:
    """Roles with how many users each has, the built-in ones first; by `state` and `search`."""
    users = select(func.count()).where(UserRole.role_id == Role.id).scalar_subquery()
    query = select(Role, users.label("users")).order_by(Role.built_in.desc(), Role.id)
    if args["state"] != "all":
        query = query.where(Role.enabled.is_(args["state"] == "enabled"))
    if args["search"]:
        query = query.where(Role.name.ilike(like(args["search"])))
    return query


def role_view(row: Any) -> dict[str, Any]:
    """The outside's view of a row of `roles_query`. The owner's role shows every permission there is."""
    role: Role = row[0]
    return {
        "id": role.id,
        "name": role.name,
        "key": role.key,
        "built_in": role.built_in,
        "enabled": role.enabled,
        "data_scope": role.data_scope,
        "permissions": list(WHOLE.get(role.key or "", sorted(role.permissions))),
        "users": row[1],
        "updated_at": role.updated_at,
        "second_factor_required": role.second_factor_required,
    }


@dataclass(frozen=True)
class PermissionGroup:
    """Permissions of one noun."""

    group: str
    permissions: tuple[str, ...]


def permission_groups(*, is_platform: bool) -> list[PermissionGroup]:
    """The permissions that roles of the enterprise can have, by noun, in the order of the register."""
    codes = givable(is_platform=is_platform)
    nouns = dict.fromkeys(p.partition(".")[0] for p in codes)
    return [PermissionGroup(n, tuple(p for p in codes if p.startswith(f"{n}."))) for n in nouns]


def departments(session: Session) -> list[dict[str, Any]]:
    """All departments, parents before their children, siblings by name, each with manager's name and member count."""
    members = select(func.count()).where(User.department_id == Department.id).scalar_subquery()
    managers = select(User.name).where(User.id == Department.manager_id).scalar_subquery()
    children: dict[int | None, list[dict[str, Any]]] = {}
    query = select(Department, members, managers).order_by(func.lower(Department.name), Department.id)
    for department, count, manager in session.execute(query):
        children.setdefault(department.parent_id, []).append(
            {
                "id": department.id,
                "parent_id": department.parent_id,
                "name": department.name,
                "manager_id": department.manager_id,
                "manager_name": manager,
                "members": count,
            }
        )
    ordered: list[dict[str, Any]] = []
    waiting = list(reversed(children.get(None, [])))
    while waiting:
        row = waiting.pop()
        ordered.append(row)
        waiting.extend(reversed(children.get(row["id"], [])))
    return ordered
