"""Whom a call can be given to: colleagues, queues, menus, voicemail boxes, and the numbers one has just spoken with."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from callcenter.acd.models import Queue
from callcenter.auth.models import Role, User, UserRole
from callcenter.calls.models import Call
from crm.models import Customer
from ivr.models import FlowRow

RECENT = 20


def targets(session: Session, user_id: int, wanted: str, *, numbers: bool) -> list[dict[str, Any]]:
    """All that match `wanted` (a part of a name, user name or number; empty: all): kind, id, number, name. Colleagues
    first, each kind by name; `numbers`: with the recent ones of `user_id`, the latest first, without whoever is
    on the line now."""
    found: list[dict[str, Any]] = []
    desk = (
        select(UserRole.user_id)
        .join(Role, Role.id == UserRole.role_id)
        .where(Role.enabled, or_(Role.key == "owner", Role.permissions.contains(["desk.use"])))
    )
    people = select(User.id, User.name).where(User.enabled, User.id.in_(desk)).order_by(User.name, User.id)
    if wanted:
        people = people.where(
            or_(User.name.icontains(wanted, autoescape=True), User.username.icontains(wanted, autoescape=True))
        )
    colleagues = [row for row in session.execute(people) if row.id != user_id]
    found += [_target("agent", row.id, row.name) for row in colleagues]
    queues = select(Queue.id, Queue.name).where(Queue.enabled).order_by(Queue.name)
    menus = select(FlowRow.id, FlowRow.name).where(FlowRow.published.is_not(None)).order_by(FlowRow.name)
    for kind, query, name in (("queue", queues, Queue.name), ("menu", menus, FlowRow.name)):
        matching = query.where(name.icontains(wanted, autoescape=True)) if wanted else query
        found += [_target(kind, row.id, row.name) for row in session.execute(matching)]
    if numbers:
        found += _recent(session, user_id, wanted)
    if wanted:
        found += [_target("voicemail", row.id, row.name) for row in colleagues]
    return found


def _recent(session: Session, user_id: int, wanted: str) -> list[dict[str, Any]]:
    on_the_line = select(Call.phone_e164).where(Call.agent_id == user_id, Call.ended_at.is_(None))
    query = (
        select(Call.phone_e164, func.max(Call.started_at).label("at"), func.max(Customer.name).label("name"))
        .outerjoin(Customer, Customer.id == Call.customer_id)
        .where(Call.agent_id == user_id, Call.phone_e164 != "", Call.phone_e164.not_in(on_the_line))
        .group_by(Call.phone_e164)
        .order_by(func.max(Call.started_at).desc())
        .limit(RECENT)
    )
    if wanted:
        query = query.where(
            or_(Call.phone_e164.contains(wanted, autoescape=True), Customer.name.icontains(wanted, autoescape=True))
        )
    return [
        {"kind": "number", "id": None, "number": row.phone_e164, "name": row.name or row.phone_e164}
        for row in session.execute(query)
    ]


def _target(kind: str, id_: int, name: str) -> dict[str, Any]:
    return {"kind": kind, "id": id_, "number": "", "name": name}


def exists(session: Session, kind: str, id_: int | None) -> bool:
    """Whether a call can be sent to `id_` of `kind` now."""
    match kind:
        case "agent" | "voicemail":
            user = session.get(User, id_) if id_ is not None else None
            return user is not None and user.enabled
        case "queue":
            queue = session.get(Queue, id_) if id_ is not None else None
            return queue is not None and queue.enabled
        case "menu":
            flow = session.get(FlowRow, id_) if id_ is not None else None
            return flow is not None and flow.published is not None
    return kind == "number"
