"""Tasks that calls make and close: a message left, a caller missed, a conversation with either.

Called by the recorder in its transaction, once for each fact. A message and the missed call of the same caller's same
call are one task, whichever is told first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfoNotFoundError

from sqlalchemy import CursorResult, and_, or_, select, update
from sqlalchemy.orm import Session

from callcenter.auth.models import User
from callcenter.calls import facts as f
from callcenter.calls.models import Call
from callcenter.clock import to_utc
from callcenter.db.outbox import tell
from callcenter.numbers.calendar import next_opening
from callcenter.numbers.documents import calendar_doc
from callcenter.numbers.models import CalendarRow, DidNumber
from callcenter.tenancy.models import Enterprise
from crm.models import Customer, Task, TaskKind

DUE_AFTER = timedelta(minutes=30)
_CLOSED_BY_A_CALL = (TaskKind.VOICEMAIL.value, TaskKind.MISSED_CALL.value)


def voicemail_left(session: Session, fact: f.VoicemailLeft) -> Task:
    """A message: a task of the box's owner, else of the customer's owner, else of the queue's members."""
    at = to_utc(fact.at)
    customer = _customer(session, fact.customer_id, fact.phone_e164)
    task = session.scalars(select(Task).where(Task.recording_id == fact.recording_id)).one_or_none()
    if task is not None:
        return task
    missed = _open_missed(session, fact.phone_e164)
    if missed is not None and missed.call_id == fact.call_id:  # its end was told before the message
        if missed.count == 1:
            task = missed
        else:
            missed.count -= 1
    due = due_at(session, fact.did, at)
    owner = _enabled(session, fact.user_id) or _enabled(session, customer.owner_id if customer else None)
    if task is None:
        task = Task(phone_e164=fact.phone_e164)
    task.kind, task.recording_id, task.seconds = TaskKind.VOICEMAIL, fact.recording_id, fact.seconds
    task.call_id, task.did, task.queue_id = fact.call_id, fact.did, fact.queue_id
    task.customer_id = customer.id if customer is not None else None
    task.owner_id, task.last_at, task.due_at = owner, at, due
    session.add(task)
    session.flush()
    return task


def is_missed(fact: f.CallEnded) -> bool:
    """Whether a caller came in and spoke with nobody, and there is a number to call back."""
    unheard = fact.direction == "in" and fact.outcome == "abandoned" and fact.connected_at is None
    return unheard and bool(fact.phone_e164)


def call_missed(session: Session, fact: f.CallEnded) -> Task | None:
    """A missed caller (`is_missed`). Several calls of one number are one open task, due by the first. None if he left a
    message in this call."""
    told = select(Task.id).where(Task.call_id == fact.call_id, Task.kind == TaskKind.VOICEMAIL.value)
    if session.scalars(told).first() is not None:
        return None
    at = to_utc(fact.ended_at)
    task = _open_missed(session, fact.phone_e164)
    if task is not None:
        task.count += 1
        task.last_at, task.call_id, task.did = max(task.last_at, at), fact.call_id, fact.did
        task.queue_id = fact.queue_id or task.queue_id
    else:
        customer = _customer(session, fact.customer_id, fact.phone_e164)
        task = Task(
            kind=TaskKind.MISSED_CALL,
            phone_e164=fact.phone_e164,
            did=fact.did,
            call_id=fact.call_id,
            customer_id=customer.id if customer is not None else None,
            queue_id=fact.queue_id,
            last_at=at,
            due_at=due_at(session, fact.did, at),
        )
        own = fact.agent_id if fact.queue_id is None else None
        task.owner_id = _enabled(session, customer.owner_id if customer else None) or _enabled(session, own)
        session.add(task)
    session.flush()
    return task


def contacts_made(session: Session, connected: Sequence[f.CallConnected]) -> int:
    """Conversations close what was open of the same number or customer, in whichever direction the call went. Returns
    how many tasks that were."""
    if not connected:
        return 0
    result = session.execute(
        update(Task)
        .where(
            Call.id.in_([c.call_id for c in connected]),
            Task.state == "open",
            Task.kind.in_(_CLOSED_BY_A_CALL),
            or_(
                and_(Task.phone_e164 == Call.phone_e164, Call.phone_e164 != ""),
                Task.customer_id == Call.customer_id,
            ),
            Task.last_at < Call.connected_at,
        )
        .values(state="done", closed_at=Call.connected_at, closed_by=Call.agent_id, closed_by_call_id=Call.id)
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", result).rowcount


def changed(session: Session) -> None:
    """Pages that show tasks, and the count in the rail, ask again."""
    tell(session, "live", topic="tasks", payload={"changed": True})


def due_at(session: Session, did: str, at: datetime) -> datetime:
    """Half an hour from `at`, or from when the number's calendar opens next."""
    row = session.execute(
        select(CalendarRow, Enterprise.time_zone)
        .select_from(DidNumber)
        .join(CalendarRow, CalendarRow.id == DidNumber.calendar_id)
        .join(Enterprise, Enterprise.id == DidNumber.tenant_id)
        .where(DidNumber.e164 == did)
    ).first()
    if row is None:
        return at + DUE_AFTER
    try:
        opens = next_opening(calendar_doc(row[0]), at.timestamp(), row[1])
    except (ZoneInfoNotFoundError, ValueError, KeyError):
        opens = None  # a calendar that can't be read delays nobody
    return (to_utc(opens) if opens is not None else at) + DUE_AFTER


def _open_missed(session: Session, phone: str) -> Task | None:
    if not phone:
        return None
    query = select(Task).where(Task.phone_e164 == phone, Task.kind == TaskKind.MISSED_CALL.value, Task.state == "open")
    return session.scalars(query.with_for_update()).one_or_none()


def _customer(session: Session, customer_id: int | None, phone: str) -> Customer | None:
    if customer_id is not None:
        found = session.get(Customer, customer_id)
        if found is not None:
            return found
    if not phone:
        return None
    query = select(Customer).where(Customer.phones.contains([phone])).order_by(Customer.id).limit(2)
    matches = list(session.scalars(query))
    return matches[0] if len(matches) == 1 else None  # of several nobody knows who it was


def _enabled(session: Session, user_id: int | None) -> int | None:
    if user_id is None:
        return None
    return session.scalar(select(User.id).where(User.id == user_id, User.enabled))
