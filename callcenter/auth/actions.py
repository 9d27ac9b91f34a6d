"""Changes to users. Each is one transaction: rows, audit entry, and word to the engine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import phonenumbers
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.auth import passwords
from callcenter.auth.access import Access, visible_user_ids
from callcenter.auth.models import Role, User, UserRole
from callcenter.auth.permissions import WHOLE
from callcenter.auth.rights import check_roles, check_user
from callcenter.db.outbox import settings_changed
from callcenter.db.session import tenant_session
from callcenter.errors import Conflict, InvalidInput, NotFound
from callcenter.telephony.models import SipPhoneRow
from callcenter.tenancy.models import Department, Enterprise

USERNAME = re.compile(r"[a-z0-9][a-z0-9._@-]{1,59}")


@dataclass(frozen=True)
class UserDetails:
    """What is said of a user beside the password. `service_number` E.164, or national of the enterprise's country."""

    username: str
    name: str
    role_ids: tuple[int, ...] = ()
    department_id: int | None = None
    service_number: str | None = None
    texts_need_approval: bool = False
    enabled: bool = True
    locale: str = "zh-CN"


def add_user(actor: Actor, details: UserDetails, *, password: str, password_hash: str | None = None) -> int:
    """Add a user; returns the id. `password_hash` if it was made already, off the event loop.

    Raises InvalidInput or Conflict naming the field, BeyondOwnRights for roles that `actor` could not give.
    """
    username = details.username.strip().lower()
    passwords.check_new(password, username=username)
    hashed = password_hash or passwords.hash_password(password)
    with tenant_session(actor.tenant_id) as session:
        _check_username(session, username, None)
        roles = _roles(session, details.role_ids)
        check_roles(session, actor, roles)
        user = User(username=username, password_hash=hashed)
        _fill(session, user, details)
        session.add(user)
        session.flush()
        session.add_all(UserRole(user_id=user.id, role_id=r.id) for r in roles)
        record(session, actor, "create", "user", user.id, name=user.name, after=_seen(session, user, roles))
        settings_changed(session, "user", user.id)
        return user.id


def change_user(actor: Actor, user_id: int, **changes: Any) -> None:
    """Change those fields of `UserDetails` that are given. Disabling ends the user's sessions at once.

    Raises NotFound, InvalidInput, Conflict, OwnerOnly, BeyondOwnRights.
    """
    with tenant_session(actor.tenant_id) as session:
        user = find_user(session, actor, user_id)
        check_user(session, actor, user, Access.WRITE)
        old_roles = list(user.roles)
        before = _seen(session, user, old_roles)
        details = UserDetails(
            **{
                **{f: getattr(user, f) for f in UserDetails.__dataclass_fields__ if f != "role_ids"},
                "role_ids": tuple(r.id for r in old_roles),
                **changes,
            }
        )
        _protect(actor, user, details, old_roles)
        username = details.username.strip().lower()
        if username != user.username:
            _check_username(session, username, user.id)
            user.username = username
        new_roles = _roles(session, details.role_ids)
        if {r.id for r in new_roles} != {r.id for r in old_roles}:
            check_roles(session, actor, [r for r in new_roles if r not in old_roles])
            session.execute(delete(UserRole).where(UserRole.user_id == user.id))
            session.add_all(UserRole(user_id=user.id, role_id=r.id) for r in new_roles)
        was_enabled = user.enabled
        _fill(session, user, details)
        if was_enabled and not user.enabled:
            user.session_epoch += 1
        after = _seen(session, user, new_roles)
        if before != after:
            record(session, actor, "update", "user", user.id, name=user.name, before=before, after=after)
            settings_changed(session, "user", user.id)


def delete_user(actor: Actor, user_id: int) -> None:
    """Delete a user; calls, recordings and the audit log keep the name. The built-in owner and oneself stay."""
    with tenant_session(actor.tenant_id) as session:
        user = find_user(session, actor, user_id)
        if user.built_in:
            raise Conflict("The owner of the enterprise can't be deleted.", code="owner_stays")
        if user.id == actor.user_id:
            raise Conflict("You can't delete yourself.", code="not_yourself")
        check_user(session, actor, user, Access.FULL)
        record(session, actor, "delete", "user", user.id, name=user.name, before=_seen(session, user, list(user.roles)))
        settings_changed(session, "user", user.id)
        for phone_id in session.scalars(select(SipPhoneRow.id).where(SipPhoneRow.user_id == user.id)):
            settings_changed(session, "sip_phone", phone_id)  # it goes with the user
        session.delete(user)


def reset_password(actor: Actor, user_id: int, password: str, password_hash: str | None = None) -> None:
    """Give a user a new password, unlock them and end their sessions."""
    with tenant_session(actor.tenant_id) as session:
        user = find_user(session, actor, user_id)
        check_user(session, actor, user, Access.WRITE)
        passwords.check_new(password, username=user.username)
        user.password_hash = password_hash or passwords.hash_password(password)
        user.session_epoch += 1
        user.failed_logins, user.locked_until = 0, None
        record(session, actor, "reset_password", "user", user.id, name=user.name)


def find_user(session: Session, actor: Actor, user_id: int) -> User:
    """The user, if `actor` sees them. Raises NotFound."""
    user = session.get(User, user_id)
    seen = visible_user_ids(session, actor)
    if user is None or (seen is not None and user.id not in seen):
        raise NotFound("There is no such user.")
    return user


def _protect(actor: Actor, user: User, details: UserDetails, roles: Sequence[Role]) -> None:
    if user.id == actor.user_id and not details.enabled:
        raise Conflict("You can't disable yourself.", code="not_yourself")
    if not user.built_in:
        return
    owner_ids = {r.id for r in roles if r.key in WHOLE}
    if not details.enabled or not owner_ids <= set(details.role_ids):
        raise Conflict("The owner stays enabled and keeps the owner's role.", code="owner_stays")


def _fill(session: Session, user: User, details: UserDetails) -> None:
    user.name = details.name.strip()
    if not user.name:
        raise InvalidInput("Give a name.", fields={"name": "Give a name."})
    if details.department_id is not None and session.get(Department, details.department_id) is None:
        raise InvalidInput("Choose a department.", fields={"department_id": "This department is not there any more."})
    user.department_id = details.department_id
    user.service_number = _service_number(session, details.service_number)
    user.texts_need_approval = details.texts_need_approval
    user.enabled = details.enabled
    user.locale = details.locale


def _service_number(session: Session, given: str | None) -> str | None:
    if given is None or not given.strip():
        return None
    country = session.scalars(select(Enterprise.country)).one()
    try:
        number = phonenumbers.parse(given.strip(), country)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        message = "Give a phone number with its country code, such as +86 10 5550 1234."
        raise InvalidInput(message, code="bad_number", fields={"service_number": message})
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _check_username(session: Session, username: str, own_id: int | None) -> None:
    if not USERNAME.fullmatch(username):
        message = "Use 2 to 60 small letters, digits and . _ @ -"
        raise InvalidInput(message, code="bad_username", fields={"username": message})
    taken = select(func.count()).select_from(User).where(User.username == username)
    if own_id is not None:
        taken = taken.where(User.id != own_id)
    if session.scalar(taken):
        raise Conflict(
            "This user name is taken.", code="username_taken", fields={"username": "Choose another user name."}
        )


def _roles(session: Session, ids: Sequence[int]) -> list[Role]:
    roles = list(session.scalars(select(Role).where(Role.id.in_(ids)))) if ids else []
    if len(roles) != len(set(ids)):
        raise InvalidInput("Choose the roles again.", fields={"role_ids": "One of these roles is not there any more."})
    return roles


def _seen(session: Session, user: User, roles: Sequence[Role]) -> dict[str, Any]:
    """What the audit log keeps of a user: names, since ids say nothing once the row is gone."""
    fields = ("username", "name", "service_number", "texts_need_approval", "enabled", "locale")
    department = session.get(Department, user.department_id) if user.department_id is not None else None
    return {
        **{f: getattr(user, f) for f in fields},
        "department": department.name if department is not None else None,
        "roles": sorted(r.name for r in roles),
    }
