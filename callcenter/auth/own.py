"""What users do to their own account."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.auth import passwords
from callcenter.auth.models import User
from callcenter.db.outbox import settings_changed
from callcenter.db.session import tenant_session
from callcenter.errors import InvalidInput, NotFound


def _own(session: Session, actor: Actor) -> User:
    user = session.get(User, actor.user_id) if actor.user_id is not None else None
    if user is None:
        raise NotFound("This user is gone.")
    return user


def change_profile(actor: Actor, *, locale: str | None = None, name: str | None = None) -> None:
    """Set the actor's own language and name, those that are given."""
    with tenant_session(actor.tenant_id) as session:
        user = _own(session, actor)
        before = {"locale": user.locale, "name": user.name}
        if locale is not None:
            user.locale = locale
        if name is not None:
            user.name = name.strip()
        after = {"locale": user.locale, "name": user.name}
        if before != after:
            record(session, actor, "update", "user", user.id, name=user.name, before=before, after=after)
            settings_changed(session, "user", user.id)


def choose_phone(actor: Actor, kind: str, number: str) -> None:
    """What the actor speaks with from now on: `kind` browser, sip (his registered SIP phone), or number with `number`
    (E.164), which is kept while another is chosen."""
    with tenant_session(actor.tenant_id) as session:
        user = _own(session, actor)
        before = {"phone_device": user.phone_device, "phone_number": user.phone_number}
        user.phone_device = kind
        user.phone_number = number or user.phone_number
        after = {"phone_device": user.phone_device, "phone_number": user.phone_number}
        if before != after:
            record(session, actor, "update", "user", user.id, name=user.name, before=before, after=after)


def choose_greeting(actor: Actor, greeting: str) -> None:
    """What callers hear before they leave the actor a message: a prompt's name, empty for the installation's."""
    with tenant_session(actor.tenant_id) as session:
        user = _own(session, actor)
        before = {"voicemail_greeting": user.voicemail_greeting}
        user.voicemail_greeting = greeting
        after = {"voicemail_greeting": greeting}
        if before != after:
            record(session, actor, "update", "user", user.id, name=user.name, before=before, after=after)
            settings_changed(session, "user", user.id)


def greeting_of(actor: Actor) -> str:
    """The actor's own greeting, empty for the installation's."""
    with tenant_session(actor.tenant_id) as session:
        return _own(session, actor).voicemail_greeting


def check_password(
    actor: Actor,
    password: str,
    *,
    field: str = "password",
    verify: Callable[[str, str | None], bool] = passwords.verify,
) -> None:
    """Raise InvalidInput, naming `field`, if this is not the actor's own password."""
    with tenant_session(actor.tenant_id) as session:
        stored = _own(session, actor).password_hash
    if not verify(password, stored):
        raise InvalidInput(
            "The current password is not right.",
            code="wrong_password",
            fields={field: "This is not your present password."},
        )


def change_password(
    actor: Actor,
    current: str,
    new: str,
    *,
    verify: Callable[[str, str | None], bool] = passwords.verify,
    hash_: Callable[[str], str] = passwords.hash_password,
) -> User:
    """Set the actor's own password and end all sessions that began before. Raises InvalidInput naming the field."""
    with tenant_session(actor.tenant_id) as session:
        username = _own(session, actor).username
    passwords.check_new(new, username=username, field="new")
    check_password(actor, current, field="current", verify=verify)
    hashed = hash_(new)
    with tenant_session(actor.tenant_id) as session:
        user = _own(session, actor)
        user.password_hash = hashed
        user.session_epoch += 1
        record(session, actor, "change_password", "user", user.id, name=user.name)
    return user


def signed_out(actor: Actor) -> None:
    """Note a sign-out in the audit log."""
    with tenant_session(actor.tenant_id) as session:
        record(session, actor, "sign_out", "user", str(actor.user_id), name=actor.name)
