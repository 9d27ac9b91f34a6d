"""Changes to roles. A role's users notice at their next request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.auth.access import permissions_of
from callcenter.auth.models import DataScope, Role, UserRole
from callcenter.auth.permissions import WHOLE, givable
from callcenter.auth.rights import check_permissions, check_scope
from callcenter.db.outbox import settings_changed
from callcenter.db.session import tenant_session
from callcenter.errors import Conflict, InvalidInput, NotFound
from callcenter.tenancy.models import Enterprise


def add_role(
    actor: Actor,
    *,
    name: str,
    permissions: Iterable[str],
    data_scope: str = "own",
    enabled: bool = True,
    second_factor_required: bool = False,
) -> int:
    """Add a role; returns the id. Raises InvalidInput, Conflict, BeyondOwnRights."""
    with tenant_session(actor.tenant_id) as session:
        codes = _codes(session, permissions)
        check_permissions(actor, codes)
        scope = DataScope(data_scope)
        check_scope(session, actor, scope)
        role = Role(name=_name(session, name, None), permissions=codes, data_scope=scope.value, enabled=enabled)
        role.second_factor_required = second_factor_required
        session.add(role)
        session.flush()
        record(session, actor, "create", "role", role.id, name=role.name, after=_seen(role))
        return role.id


def change_role(
    actor: Actor,
    role_id: int,
    *,
    name: str | None = None,
    permissions: Iterable[str] | None = None,
    data_scope: str | None = None,
    enabled: bool | None = None,
    second_factor_required: bool | None = None,
) -> None:
    """Change what is given. A built-in role keeps its name; the owner's keeps everything. `second_factor_required` is
    asked at the next sign-in of its users.

    Raises NotFound, InvalidInput, Conflict, BeyondOwnRights.
    """
    with tenant_session(actor.tenant_id) as session:
        role = find_role(session, role_id)
        before = _seen(role)
        codes = sorted(role.permissions) if permissions is None else _codes(session, permissions)
        scope = DataScope(role.data_scope if data_scope is None else data_scope)
        on = role.enabled if enabled is None else enabled
        if role.key in WHOLE and (set(codes) != set(role.permissions) or scope is not DataScope.ALL or not on):
            raise Conflict("The owner's role allows everything; it can't be changed.", code="owner_role_stays")
        if name is not None and name.strip() != role.name:
            if role.built_in:
                raise Conflict("A built-in role keeps its name.", code="built_in_role", fields={"name": "It stays."})
            role.name = _name(session, name, role.id)
        check_permissions(actor, set(codes) ^ set(role.permissions))
        required = role.second_factor_required if second_factor_required is None else second_factor_required
        if on != role.enabled or required != role.second_factor_required:
            check_permissions(actor, permissions_of([role]) | set(codes))
        if scope.value != role.data_scope:
            check_scope(session, actor, scope)
            check_scope(session, actor, DataScope(role.data_scope))
        role.permissions, role.data_scope, role.enabled = codes, scope.value, on
        role.second_factor_required = required
        after = _seen(role)
        if before != after:
            record(session, actor, "update", "role", role.id, name=role.name, before=before, after=after)
            _tell_users(session, role.id)


def delete_role(actor: Actor, role_id: int) -> None:
    """Delete a role; its users lose its permissions at once. Raises Conflict for a built-in one."""
    with tenant_session(actor.tenant_id) as session:
        role = find_role(session, role_id)
        if role.built_in:
            raise Conflict("A built-in role can't be deleted. You can disable it.", code="built_in_role")
        check_permissions(actor, role.permissions)
        record(session, actor, "delete", "role", role.id, name=role.name, before=_seen(role))
        _tell_users(session, role.id)
        session.delete(role)


def find_role(session: Session, role_id: int) -> Role:
    """The role. Raises NotFound."""
    role = session.get(Role, role_id)
    if role is None:
        raise NotFound("There is no such role.")
    return role


def _tell_users(session: Session, role_id: int) -> None:
    for user_id in session.scalars(select(UserRole.user_id).where(UserRole.role_id == role_id)):
        settings_changed(session, "user", user_id)


def _codes(session: Session, permissions: Iterable[str]) -> list[str]:
    codes = set(permissions)
    own = session.get_one(Enterprise, session.info["tenant_id"])
    unknown = sorted(codes - set(givable(is_platform=own.is_platform)))
    if unknown:
        raise InvalidInput(
            "Choose the permissions again.", fields={"permissions": f"These are not known: {', '.join(unknown)}."}
        )
    return sorted(codes)


def _name(session: Session, given: str, own_id: int | None) -> str:
    name = given.strip()
    if not name:
        raise InvalidInput("Give the role a name.", fields={"name": "Give the role a name."})
    taken = select(func.count()).select_from(Role).where(Role.name == name)
    if own_id is not None:
        taken = taken.where(Role.id != own_id)
    if session.scalar(taken):
        raise Conflict("There is a role of this name.", code="role_name_taken", fields={"name": "Choose another name."})
    return name


def _seen(role: Role) -> dict[str, Any]:
    return {
        "name": role.name,
        "permissions": sorted(role.permissions),
        "data_scope": role.data_scope,
        "enabled": role.enabled,
        "second_factor_required": role.second_factor_required,
    }
