"""What the platform's operator does: open enterprises, set how long they are valid, tell them things (row E10).

All of it works in a platform session. What changes an enterprise stands in its own audit log and in the operator's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select, text
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.audit.records import put
from callcenter.db.outbox import settings_changed
from callcenter.db.session import platform_session
from callcenter.errors import InvalidInput, NotFound
from callcenter.tenancy.actions import open_enterprise
from callcenter.tenancy.models import Announcement, Enterprise

_CHANGEABLE = frozenset({"name", "valid_until", "time_zone", "country", "idle_sign_out_min"})
_TOLD = frozenset({"kind", "title", "body", "enterprise_id", "shown_from", "shown_until"})


@contextmanager
def as_enterprise(session: Session, tenant_id: int) -> Iterator[None]:
    """Within it, rows that name no enterprise are of `tenant_id`, and rows of others are refused."""
    before = session.info.get("tenant_id")
    session.flush()
    session.info["tenant_id"] = tenant_id
    session.execute(text("SELECT set_config('app.tenant', :t, true)"), {"t": str(tenant_id)})
    try:
        yield
        session.flush()
    finally:
        if before is None:
            session.info.pop("tenant_id", None)
        else:
            session.info["tenant_id"] = before


def audit(
    session: Session,
    actor: Actor,
    action: str,
    entity: str,
    entity_id: int | str,
    *,
    enterprise_id: int | None,
    name: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """The operator's entry, and the same in the log of the enterprise that it concerns."""
    with as_enterprise(session, actor.tenant_id):
        record(session, actor, action, entity, entity_id, name=name, before=before, after=after)
    if enterprise_id is not None and enterprise_id != actor.tenant_id:
        with as_enterprise(session, enterprise_id):
            them = Actor(enterprise_id, None, actor.name)
            record(session, them, action, entity, entity_id, name=name, before=before, after=after)


def enterprises_query(search: str) -> Select[Enterprise]:
    """Enterprises but the platform's own, by code or name; the newest first."""
    query = select(Enterprise).where(~Enterprise.is_platform).order_by(Enterprise.id.desc())
    if search:
        query = query.where(
            or_(Enterprise.code.icontains(search, autoescape=True), Enterprise.name.icontains(search, autoescape=True))
        )
    return query


def find_enterprise(session: Session, enterprise_id: int, *, lock: bool = False) -> Enterprise:
    """An enterprise but the platform's own. Raises NotFound."""
    query = select(Enterprise).where(Enterprise.id == enterprise_id, ~Enterprise.is_platform)
    row = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("There is no such enterprise.")
    return row


def open_one(actor: Actor, given: Mapping[str, Any]) -> int:
    """Open an enterprise with its owner; returns its id. Raises InvalidInput, Conflict."""
    with platform_session() as session:
        enterprise_id = open_enterprise(
            session,
            given["code"],
            given["name"],
            given["country"],
            given["time_zone"],
            given["owner_username"],
            given["owner_password"],
            owner_name=given.get("owner_name") or None,
            locale=given["locale"],
            actor=actor,
        )
        session.get_one(Enterprise, enterprise_id).valid_until = given.get("valid_until")
        with as_enterprise(session, actor.tenant_id):
            record(session, actor, "create", "enterprise", enterprise_id, name=given["name"])
    return enterprise_id


def change_one(actor: Actor, enterprise_id: int, changes: Mapping[str, Any]) -> None:
    """Change an enterprise. Raises NotFound."""
    with platform_session() as session:
        row = find_enterprise(session, enterprise_id, lock=True)
        before = {k: getattr(row, k) for k in changes}
        put(row, changes, _CHANGEABLE)
        after = {k: getattr(row, k) for k in changes}
        if before == after:
            return
        audit(
            session, actor, "update", "enterprise", row.id, enterprise_id=row.id, name=row.name, before=before,
            after=after,
        )  # fmt: skip
        with as_enterprise(session, row.id):
            settings_changed(session, "enterprise", row.id)


def announcements_query() -> Select[Announcement]:
    """All of them, the newest first."""
    return select(Announcement).order_by(Announcement.shown_from.desc(), Announcement.id.desc())


def shown_to(session: Session, enterprise_id: int, now: datetime) -> list[Announcement]:
    """What enterprise `enterprise_id` sees at `now`, the newest first, 20 at most."""
    query = announcements_query().where(
        or_(Announcement.enterprise_id.is_(None), Announcement.enterprise_id == enterprise_id),
        Announcement.shown_from <= now,
        or_(Announcement.shown_until.is_(None), Announcement.shown_until > now),
    )
    return list(session.scalars(query.limit(20)))


def announce(actor: Actor, given: Mapping[str, Any]) -> Announcement:
    """Tell all enterprises, or one. Raises InvalidInput, NotFound."""
    with platform_session() as session:
        row = Announcement(created_by=actor.user_id)
        _fill(session, row, given)
        session.add(row)
        session.flush()
        _trace(session, actor, "create", row)
        session.refresh(row)
    return row


def change_announcement(actor: Actor, announcement_id: int, given: Mapping[str, Any]) -> Announcement:
    """Change one. Raises InvalidInput, NotFound."""
    with platform_session() as session:
        row = _find(session, announcement_id)
        _fill(session, row, given)
        _trace(session, actor, "update", row)
        session.flush()
        session.refresh(row)
    return row


def withdraw(actor: Actor, announcement_id: int) -> None:
    """Delete one. Raises NotFound."""
    with platform_session() as session:
        row = _find(session, announcement_id)
        _trace(session, actor, "delete", row)
        session.delete(row)


def _find(session: Session, announcement_id: int) -> Announcement:
    row = session.get(Announcement, announcement_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no such announcement.")
    return row


def _fill(session: Session, row: Announcement, given: Mapping[str, Any]) -> None:
    if given.get("enterprise_id") is not None:
        find_enterprise(session, given["enterprise_id"])
    put(row, {k: v for k, v in given.items() if k != "shown_from" or v is not None}, _TOLD)
    begin = row.shown_from or session.scalar(select(func.now()))
    if row.shown_until is not None and begin is not None and row.shown_until <= begin:
        raise InvalidInput("Check the marked fields.", fields={"shown_until": "Choose a time after the beginning."})


def _trace(session: Session, actor: Actor, action: str, row: Announcement) -> None:
    with as_enterprise(session, actor.tenant_id):
        record(session, actor, action, "announcement", row.id, name=row.title, after={"body": row.body})
