"""Tasks as screens show them, and who sees which: one's own, those of one's people, and those of nobody where one is a
member of the queue they came from, or they came from none."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from callcenter.acd.models import Queue, QueueMember
from callcenter.audit.models import Actor
from callcenter.auth.access import visible_user_ids
from callcenter.auth.models import User
from callcenter.calls.models import Recording
from crm.models import Customer, Task
from crm.queries import typed
from crm.queries.card import shown

PLAYABLE = ("growing", "closed", "stored")
_Closer = aliased(User)


def _rows() -> Select[Any]:
    return typed(
        select(Task, User.name, _Closer.name, Customer.name, Queue.name, Recording.state)
        .outerjoin(User, User.id == Task.owner_id)
        .outerjoin(_Closer, _Closer.id == Task.closed_by)
        .outerjoin(Customer, Customer.id == Task.customer_id)
        .outerjoin(Queue, Queue.id == Task.queue_id)
        .outerjoin(Recording, and_(Recording.id == Task.recording_id, Recording.deleted_at.is_(None)))
    )


def one(task_id: int) -> Select[Any]:
    """The row of one task, for `rendered`."""
    return _rows().where(Task.id == task_id)


def seen(session: Session, actor: Actor) -> ColumnElement[bool]:
    """The condition for the tasks that `actor` sees."""
    users = visible_user_ids(session, actor)
    if users is None:
        return true()
    mine = select(QueueMember.queue_id).where(QueueMember.user_id.in_({*users, actor.user_id}))
    nobodys = and_(Task.owner_id.is_(None), or_(Task.queue_id.is_(None), Task.queue_id.in_(mine)))
    return or_(Task.owner_id.in_(users), nobodys)


def sees(session: Session, actor: Actor, task: Task) -> bool:
    """Whether `actor` sees this task."""
    return session.scalar(select(Task.id).where(Task.id == task.id, seen(session, actor))) is not None


def plays(session: Session, actor: Actor, recording_id: str) -> bool:
    """Whether a task that `actor` sees carries this recording."""
    query = select(Task.id).where(Task.recording_id == recording_id, seen(session, actor))
    return session.scalars(query).first() is not None


def visible(
    session: Session,
    actor: Actor,
    *,
    whose: str = "all",
    state: str = "open",
    kind: str | None = None,
    queue_id: int | None = None,
    customer_id: int | None = None,
    overdue: bool = False,
    now: datetime,
) -> Select[Any]:
    """The tasks that `actor` sees, the most urgent first; done ones, the last closed first. `whose`: mine, nobody,
    desk (mine and nobody's), all."""
    query = _rows().where(seen(session, actor), Task.state == state)
    if whose == "mine":
        query = query.where(Task.owner_id == actor.user_id)
    elif whose == "nobody":
        query = query.where(Task.owner_id.is_(None))
    elif whose == "desk":
        query = query.where(or_(Task.owner_id == actor.user_id, Task.owner_id.is_(None)))
    if kind is not None:
        query = query.where(Task.kind == kind)
    if queue_id is not None:
        query = query.where(Task.queue_id == queue_id)
    if customer_id is not None:
        query = query.where(Task.customer_id == customer_id)
    if overdue:
        query = query.where(Task.due_at < now)
    if state == "done":
        return query.order_by(Task.closed_at.desc().nulls_last(), Task.id.desc())
    return query.order_by(Task.due_at, Task.id)


def counts(session: Session, actor: Actor, now: datetime) -> dict[str, int]:
    """Open tasks that `actor` sees: all, one's own, one's own overdue, nobody's."""
    mine = Task.owner_id == actor.user_id
    row = session.execute(
        select(
            func.count(),
            func.count().filter(mine),
            func.count().filter(mine, Task.due_at < now),
            func.count().filter(Task.owner_id.is_(None)),
        )
        .select_from(Task)
        .where(Task.state == "open", seen(session, actor))
    ).one()
    return {"open": row[0], "mine": row[1], "mine_overdue": row[2], "nobody": row[3]}


def rendered(actor: Actor, row: Any, now: datetime) -> dict[str, Any]:
    """A row as the API shows it."""
    task, owner, closer, customer, queue, recording = row
    names = (
        "id", "kind", "title", "customer_id", "call_id", "seconds", "owner_id", "queue_id", "due_at", "last_at",
        "count", "state", "note", "closed_by_call_id", "closed_at", "created_at", "did",
    )  # fmt: skip
    return {
        **{n: getattr(task, n) for n in names},
        "phone": shown(task.phone_e164, actor) if task.phone_e164 else "",
        "callable": bool(task.phone_e164 or task.customer_id),
        "recording_id": task.recording_id if recording in PLAYABLE else None,
        "overdue": task.state == "open" and task.due_at < now,
        "owner_name": owner or "",
        "closed_by_name": closer or "",
        "customer_name": customer or "",
        "queue_name": queue or "",
    }
