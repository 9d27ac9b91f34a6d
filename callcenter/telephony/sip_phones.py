"""Users' SIP phones: made, given a new password, switched off and on, deleted. A password is shown once, when it is
made; only its digest hash is kept."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass
from typing import Any

import psycopg.errors
from sqlalchemy import Select, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from callcenter.audit import records
from callcenter.audit.models import Actor
from callcenter.auth.access import Access, visible_user_ids
from callcenter.auth.actions import find_user
from callcenter.auth.models import User
from callcenter.auth.queries import like
from callcenter.auth.rights import check_user
from callcenter.errors import InvalidInput, NotFound
from callcenter.telephony.models import SipPhoneRow
from callcenter.telephony.phones import ha1_of
from callcenter.tenancy.models import Enterprise

ENTITY = "sip_phone"
PASSWORD_LENGTH = 16  # 91 bits; typed once, on the phone's keys at worst
_LETTERS = "".join(c for c in string.ascii_letters + string.digits if c not in "0O1lI")
_TRIES = 5


@dataclass(frozen=True)
class Made:
    """A phone with its password, which is nowhere else."""

    phone: SipPhoneRow
    password: str


def phones_query(session: Session, actor: Actor, search: str) -> Select[SipPhoneRow]:
    """The phones of the users whom `actor` sees, by the user's name; searched by name and user name."""
    query = select(SipPhoneRow).join(User, User.id == SipPhoneRow.user_id).order_by(func.lower(User.name), User.id)
    seen = visible_user_ids(session, actor)
    if seen is not None:
        query = query.where(SipPhoneRow.user_id.in_(seen))
    if search.strip():
        pattern = like(search)
        query = query.where(or_(User.name.ilike(pattern), SipPhoneRow.username.ilike(pattern)))
    return query


def find_phone(session: Session, actor: Actor, phone_id: int) -> SipPhoneRow:
    """The phone, if `actor` sees its user. Raises NotFound."""
    row = records.find(session, SipPhoneRow, phone_id, lock=True)
    seen = visible_user_ids(session, actor)
    if seen is not None and row.user_id not in seen:
        raise NotFound("There is no such phone.")
    return row


def make(session: Session, actor: Actor, user_id: int) -> Made:
    """A phone for a user who has none. Raises InvalidInput on `user_id`."""
    try:
        user = find_user(session, actor, user_id)
    except NotFound as error:
        raise InvalidInput("There is no such user.", fields={"user_id": "Choose a user."}) from error
    check_user(session, actor, user, Access.WRITE)
    if session.scalar(select(SipPhoneRow.id).where(SipPhoneRow.user_id == user_id)) is not None:
        sentence = "This user has a SIP phone already. Give it a new password instead."
        raise InvalidInput(sentence, code="sip_phone.one_each", fields={"user_id": sentence})
    code = session.scalars(select(Enterprise.code).where(Enterprise.id == actor.tenant_id)).one()
    password = _password()
    row = _stored(session, user_id, code, password)
    records.trace(session, actor, "create", ENTITY, row.id, name=user.name, after=_seen(row))
    return Made(row, password)


def renew_password(session: Session, actor: Actor, phone_id: int) -> Made:
    """Another password: whoever registered by the old one is registered no longer."""
    row, user = _changeable(session, actor, phone_id)
    password = _password()
    row.ha1 = ha1_of(row.username, password)
    records.trace(session, actor, "reset_password", ENTITY, row.id, name=user.name)
    return Made(row, password)


def enable(session: Session, actor: Actor, phone_id: int, enabled: bool) -> SipPhoneRow:
    """Let it register, or not. A call that is up on it goes on."""
    row, user = _changeable(session, actor, phone_id)
    before = _seen(row)
    row.enabled = enabled
    if before != _seen(row):
        records.trace(session, actor, "update", ENTITY, row.id, name=user.name, before=before, after=_seen(row))
    return row


def delete(session: Session, actor: Actor, phone_id: int) -> None:
    """Remove it; its user speaks through the browser again."""
    row, user = _changeable(session, actor, phone_id)
    records.trace(session, actor, "delete", ENTITY, row.id, name=user.name, before=_seen(row))
    if user.phone_device == "sip":
        user.phone_device = "browser"
    session.delete(row)
    session.flush()


def sip_phone_doc(session: Session, row: SipPhoneRow | None) -> dict[str, Any] | None:
    """The phone as the engine works by it; None if it may not register."""
    user = session.get(User, row.user_id) if row is not None else None
    if row is None or user is None or not row.enabled or not user.enabled:
        return None
    return {"user_id": row.user_id, "username": row.username, "ha1": row.ha1}


def _changeable(session: Session, actor: Actor, phone_id: int) -> tuple[SipPhoneRow, User]:
    row = find_phone(session, actor, phone_id)
    user = find_user(session, actor, row.user_id)
    check_user(session, actor, user, Access.WRITE)
    return row, user


def _stored(session: Session, user_id: int, code: str, password: str) -> SipPhoneRow:
    """The new row, under a name that is free in the whole installation (other enterprises' are not seen)."""
    for _ in range(_TRIES):
        username = f"{code}-{100_000 + secrets.randbelow(900_000)}"
        row = SipPhoneRow(user_id=user_id, username=username, ha1=ha1_of(username, password), enabled=True)
        try:
            with session.begin_nested():
                session.add(row)
            session.refresh(row)
            return row
        except IntegrityError as error:
            if not isinstance(error.orig, psycopg.errors.UniqueViolation):
                raise
            if error.orig.diag.constraint_name != "uq_sip_phone_username":
                sentence = "This user has a SIP phone already. Give it a new password instead."
                raise InvalidInput(sentence, code="sip_phone.one_each", fields={"user_id": sentence}) from error
    raise RuntimeError("no free name for a SIP phone")


def _password() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(PASSWORD_LENGTH))


def _seen(row: SipPhoneRow) -> dict[str, Any]:
    """What the audit log shows of it."""
    return {"user_id": row.user_id, "username": row.username, "enabled": row.enabled}
