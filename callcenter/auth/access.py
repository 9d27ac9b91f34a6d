"""Whose records a user sees and changes (product row E5).

The rule, pure: one's own records in full; the direct superior of their owner does what the owner can, except delete;
a higher superior only reads; a role's data scope `all` gives full access, `department` and `department_and_below`
show the records of those departments. The superiors of a user are the managers met on the way from the user's
department to the root, the user left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.auth.models import DataScope, Role, User
from callcenter.auth.permissions import WHOLE
from callcenter.tenancy.models import Department

SCOPE_ORDER: Final = tuple(DataScope)  # from narrow to wide


class Access(IntEnum):
    """What one may do with a record, each including those before it."""

    NONE = 0
    READ = 1
    WRITE = 2  # all but delete
    FULL = 3


@dataclass(frozen=True)
class Place:
    """A department's place in the tree."""

    parent_id: int | None
    manager_id: int | None


@dataclass(frozen=True)
class Viewer:
    """Who looks. `scope` is the widest of the enabled roles."""

    user_id: int
    department_id: int | None
    scope: DataScope


Tree = Mapping[int, Place]


def way_up(department_id: int | None, tree: Tree) -> list[int]:
    """The departments from `department_id` to the root. Ends also where a tree is broken or goes round."""
    way: list[int] = []
    while department_id is not None and department_id in tree and department_id not in way:
        way.append(department_id)
        department_id = tree[department_id].parent_id
    return way


def superiors(user_id: int, department_id: int | None, tree: Tree) -> list[int]:
    """The superiors of a user, the direct one first."""
    found: list[int] = []
    for d in way_up(department_id, tree):
        manager = tree[d].manager_id
        if manager is not None and manager != user_id and manager not in found:
            found.append(manager)
    return found


def access_level(viewer: Viewer, owner_id: int | None, owner_department_id: int | None, tree: Tree) -> Access:
    """What `viewer` may do with a record of `owner_id`. A record without owner is everybody's, except to delete."""
    if viewer.scope is DataScope.ALL or owner_id == viewer.user_id:
        return Access.FULL
    if owner_id is None:
        return Access.WRITE
    above = superiors(owner_id, owner_department_id, tree)
    if above[:1] == [viewer.user_id]:
        return Access.WRITE
    if viewer.user_id in above:
        return Access.READ
    if viewer.department_id is None or viewer.scope is DataScope.OWN:
        return Access.NONE
    seen = way_up(owner_department_id, tree)
    if viewer.scope is DataScope.DEPARTMENT:
        seen = seen[:1]
    return Access.READ if viewer.department_id in seen else Access.NONE


def permissions_of(roles: Iterable[Role]) -> frozenset[str]:
    """What the enabled ones of `roles` allow together. The owner's role allows everything, new functions
    too."""
    enabled = [r for r in roles if r.enabled]
    return frozenset(p for r in enabled for p in WHOLE.get(r.key or "", r.permissions))


def scope_of(roles: Iterable[Role]) -> DataScope:
    """The widest data scope of the enabled ones of `roles`."""
    scopes = [DataScope(r.data_scope) for r in roles if r.enabled]
    return max(scopes, key=SCOPE_ORDER.index, default=DataScope.OWN)


def load_tree(session: Session) -> dict[int, Place]:
    """The enterprise's departments."""
    rows = session.execute(select(Department.id, Department.parent_id, Department.manager_id))
    return {row.id: Place(row.parent_id, row.manager_id) for row in rows}


def viewer_of(session: Session, actor: Actor) -> Viewer | None:
    """`actor` as a viewer; None for a process of the system, which may do everything."""
    if actor.user_id is None:
        return None
    user = session.get(User, actor.user_id)
    if user is None:
        return Viewer(actor.user_id, None, DataScope.OWN)
    return Viewer(user.id, user.department_id, scope_of(user.roles))


def access_to(session: Session, actor: Actor, owner_id: int | None) -> Access:
    """What `actor` may do with a record of user `owner_id` in this enterprise."""
    viewer = viewer_of(session, actor)
    if viewer is None:
        return Access.FULL
    department = None
    if owner_id is not None:
        department = session.scalar(select(User.department_id).where(User.id == owner_id))
    return access_level(viewer, owner_id, department, load_tree(session))


def visible_user_ids(session: Session, actor: Actor) -> frozenset[int] | None:
    """The users whose records `actor` sees; None: all of them (no condition is needed)."""
    viewer = viewer_of(session, actor)
    if viewer is None or viewer.scope is DataScope.ALL:
        return None
    tree = load_tree(session)
    rows = session.execute(select(User.id, User.department_id))
    return frozenset(r.id for r in rows if access_level(viewer, r.id, r.department_id, tree) is not Access.NONE)
