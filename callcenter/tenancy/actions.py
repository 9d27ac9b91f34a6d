"""Opening enterprises, and their departments."""

from __future__ import annotations

import re
from collections.abc import Callable
from zoneinfo import available_timezones

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.auth import passwords
from callcenter.auth.models import Role, User, UserRole
from callcenter.auth.permissions import BUILT_IN_ROLES, PLATFORM_ROLES
from callcenter.db.outbox import settings_changed
from callcenter.errors import Conflict, InvalidInput
from callcenter.tenancy.models import Enterprise

_CODE = re.compile(r"[a-z0-9][a-z0-9-]{1,39}")
USERNAME = re.compile(r"[a-z0-9][a-z0-9._@-]{1,59}")

Hook = Callable[[Session, int], None]
_hooks: list[Hook] = []


def on_enterprise_opened(hook: Hook) -> Hook:
    """Decorator: `hook(session, tenant_id)` runs in the transaction that opens an enterprise, fenced to it.

    Features give a new enterprise what it needs to start: dispositions, a rule set. Their module must be imported by
    the process that opens enterprises (`callcenter.tenancy.opening`).
    """
    if hook not in _hooks:
        _hooks.append(hook)
    return hook


def open_enterprise(
    session: Session,
    code: str,
    name: str,
    country: str,
    time_zone: str,
    owner_username: str,
    owner_password: str,
    *,
    owner_name: str | None = None,
    locale: str = "zh-CN",
    is_demo: bool = False,
    is_platform: bool = False,
    actor: Actor | None = None,
) -> int:
    """Make an enterprise with its built-in roles and its owner; returns its id. `session` is a platform session.

    `country` is ISO 3166 alpha-2, `time_zone` an IANA name. With `is_platform` it is the operator's own enterprise,
    whose users open the others, and no feature fills it. `actor`: the operator who opens it. Raises InvalidInput, or
    Conflict if the code is taken.
    """
    code, owner_username = code.strip().lower(), owner_username.strip().lower()
    _check_opening(code, name, country, time_zone, owner_username)
    passwords.check_new(owner_password, username=owner_username)
    if session.scalar(select(func.count()).select_from(Enterprise).where(Enterprise.code == code)):
        raise Conflict("This code is taken.", code="code_taken", fields={"code": "Choose another code."})
    enterprise = Enterprise(
        code=code, name=name.strip(), country=country, time_zone=time_zone, is_demo=is_demo, is_platform=is_platform
    )
    session.add(enterprise)
    session.flush()
    tenant_id = enterprise.id
    # From here on as the enterprise itself: what a hook forgets to name is filled in, and foreign rows are refused.
    session.info["tenant_id"] = tenant_id
    session.execute(text("SELECT set_config('app.tenant', :t, true)"), {"t": str(tenant_id)})
    try:
        roles = PLATFORM_ROLES if is_platform else BUILT_IN_ROLES
        for key, (role_name, scope, permissions) in roles.items():
            session.add(Role(key=key, name=role_name, built_in=True, data_scope=scope, permissions=list(permissions)))
        owner = User(
            username=owner_username,
            name=owner_name or owner_username,
            password_hash=passwords.hash_password(owner_password),
            built_in=True,
            locale=locale,
        )
        session.add(owner)
        session.flush()
        owner_role = session.scalars(select(Role).where(Role.key == ("operator" if is_platform else "owner"))).one()
        session.add(UserRole(user_id=owner.id, role_id=owner_role.id))
        by = Actor(tenant_id, None, actor.name if actor else "platform", actor.ip if actor else "")
        record(session, by, "create", "enterprise", tenant_id, name=enterprise.name)
        settings_changed(session, "enterprise", tenant_id)
        settings_changed(session, "user", owner.id)
        for hook in () if is_platform else tuple(_hooks):
            hook(session, tenant_id)
        session.flush()
    finally:
        session.info.pop("tenant_id", None)
    return tenant_id


def _check_opening(code: str, name: str, country: str, time_zone: str, username: str) -> None:
    wrong: dict[str, str] = {}
    if not _CODE.fullmatch(code):
        wrong["code"] = "Use 2 to 40 letters, digits and hyphens."
    if not name.strip():
        wrong["name"] = "Give the enterprise a name."
    if not re.fullmatch(r"[A-Z]{2}", country):
        wrong["country"] = "Give the country's two-letter code, such as CN."
    if time_zone not in available_timezones():
        wrong["time_zone"] = "Give an IANA name, such as Asia/Shanghai."
    if not USERNAME.fullmatch(username):
        wrong["owner_username"] = "Use 2 to 60 letters, digits and . _ @ -"
    if wrong:
        raise InvalidInput("Check the marked fields.", fields=wrong)
