"""Nobody gives away, or takes over, more than they may do themselves.

These checks come before a user or a role is written. A process of the system (no user) passes all of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.auth.access import SCOPE_ORDER, Access, access_to, permissions_of, viewer_of
from callcenter.auth.models import DataScope, Role, User
from callcenter.auth.permissions import WHOLE
from callcenter.errors import Forbidden


class BeyondOwnRights(Forbidden):
    """The change would give somebody more than the actor may do."""

    code = "beyond_own_rights"


class OwnerOnly(Forbidden):
    """Only the owner changes the built-in owner."""

    code = "owner_only"


def check_permissions(actor: Actor, codes: Iterable[str]) -> None:
    """Raise BeyondOwnRights if `codes` has a permission that `actor` lacks."""
    missing = sorted(set(codes) - actor.permissions)
    if actor.user_id is not None and missing:
        raise BeyondOwnRights("You can't give or take permissions that you don't have.", params={"missing": missing})


def check_scope(session: Session, actor: Actor, scope: DataScope) -> None:
    """Raise BeyondOwnRights if `scope` is wider than the actor's own."""
    viewer = viewer_of(session, actor)
    if viewer is not None and SCOPE_ORDER.index(scope) > SCOPE_ORDER.index(viewer.scope):
        raise BeyondOwnRights("You can't give a wider data scope than your own.", code="beyond_own_scope")


def check_roles(session: Session, actor: Actor, roles: Iterable[Role]) -> None:
    """Raise unless `actor` could give all of `roles` to somebody."""
    for role in roles:
        check_permissions(actor, permissions_of([role]) if role.enabled else role.permissions)
        check_scope(session, actor, DataScope(role.data_scope))


def check_user(session: Session, actor: Actor, user: User, needed: Access) -> None:
    """Raise unless `actor` may change (`needed` WRITE) or delete (FULL) `user`."""
    if actor.user_id is None:
        return
    if user.built_in and user.id != actor.user_id and not _is_owner(session, actor):
        raise OwnerOnly("Only the owner can change the owner's account.")
    if access_to(session, actor, user.id) < needed:
        raise Forbidden("This user is not in your charge.", code="not_in_your_charge")
    check_permissions(actor, permissions_of(user.roles))


def _is_owner(session: Session, actor: Actor) -> bool:
    own = session.get(User, actor.user_id)
    return own is not None and any(r.key in WHOLE and r.enabled for r in own.roles)
