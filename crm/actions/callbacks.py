"""Promise, move, keep or drop a call-back.

The example of a change of the database. Each action does the same four things in the caller's transaction: it
checks what it was given, changes the row, writes the audit entry with before and after, and tells the rest of the
system through the outbox. Nothing is told, and nothing changed, unless all of it commits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.auth.access import Access, access_to
from callcenter.auth.models import User
from callcenter.db.outbox import tell
from callcenter.errors import Conflict, Forbidden, InvalidInput, NotFound
from crm.models import Callback, Customer, Lead, LeadStatus

MAX_NOTE = 2000


class CallbackState(StrEnum):
    OPEN = "open"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Promise:
    """A call-back to be made at `due_at` (UTC) by `user_id`, or by anyone (None), to a lead or a customer."""

    due_at: datetime
    lead_id: int | None = None
    customer_id: int | None = None
    campaign_id: int | None = None
    user_id: int | None = None
    note: str = ""


def create(session: Session, actor: Actor, promise: Promise, *, now: datetime) -> Callback:
    """Make the promise. Its lead is dialed at that time instead of by its recycling rule.

    Raises InvalidInput (due in the past, note too long, neither lead nor customer), NotFound (foreign ids).
    """
    _check(session, promise.due_at, promise.note, promise.user_id, now)
    if promise.lead_id is None and promise.customer_id is None:
        raise InvalidInput("Say who is to be called.", fields={"lead_id": "Choose a lead or a customer."})
    if promise.customer_id is not None and session.get(Customer, promise.customer_id) is None:
        raise NotFound("There is no such customer.")
    if promise.lead_id is not None and session.get(Lead, promise.lead_id) is None:
        raise NotFound("There is no such lead.")
    callback = Callback(
        due_at=promise.due_at,
        lead_id=promise.lead_id,
        customer_id=promise.customer_id,
        campaign_id=promise.campaign_id,
        user_id=promise.user_id,
        note=promise.note,
        state=CallbackState.OPEN,
    )
    session.add(callback)
    session.flush()
    _set_lead(session, callback)
    record(session, actor, "create", "callback", callback.id, after=_values(callback))
    _tell(session, callback)
    return callback


def reschedule(
    session: Session, actor: Actor, callback_id: int, changes: Mapping[str, Any], *, now: datetime
) -> Callback:
    """Move an open call-back to another `due_at`, `user_id` or `note`; what is not in `changes` stays.

    Raises NotFound, Conflict, Forbidden, InvalidInput.
    """
    callback = _open(session, actor, callback_id)
    before = _values(callback)
    after = {**before, **changes}
    _check(session, changes.get("due_at"), after["note"], after["user_id"], now)
    callback.due_at, callback.user_id, callback.note = after["due_at"], after["user_id"], after["note"]
    session.flush()
    _set_lead(session, callback)
    record(session, actor, "update", "callback", callback.id, before=before, after=_values(callback))
    _tell(session, callback)
    return callback


def close(session: Session, actor: Actor, callback_id: int, state: CallbackState) -> Callback:
    """Mark an open call-back as done or cancelled. Its lead is finished, if nothing else was decided for it since.

    Raises NotFound, Conflict, Forbidden.
    """
    callback = _open(session, actor, callback_id)
    before = _values(callback)
    callback.state = state
    lead = session.get(Lead, callback.lead_id) if callback.lead_id is not None else None
    if lead is not None and lead.status == LeadStatus.CALLBACK:
        lead.status, lead.next_at = LeadStatus.FINISHED, None
    session.flush()
    record(session, actor, "update", "callback", callback.id, before=before, after=_values(callback))
    _tell(session, callback)
    return callback


def _open(session: Session, actor: Actor, callback_id: int) -> Callback:
    """The open call-back, locked, if `actor` may change it."""
    callback = session.get(Callback, callback_id, with_for_update=True)
    if callback is None:
        raise NotFound("There is no such call-back.")
    if access_to(session, actor, callback.user_id) < Access.WRITE:
        raise Forbidden("This call-back is another agent's.", code="not_yours")
    if callback.state != CallbackState.OPEN:
        raise Conflict("This call-back is closed already.", code="callback_closed", params={"state": callback.state})
    return callback


def _check(session: Session, due_at: datetime | None, note: str, user_id: int | None, now: datetime) -> None:
    wrong: dict[str, str] = {}
    if due_at is not None and due_at <= now:
        wrong["due_at"] = "Choose a time that is still to come."
    if len(note) > MAX_NOTE:
        wrong["note"] = f"Keep the note under {MAX_NOTE} characters."
    if user_id is not None and session.get(User, user_id) is None:
        wrong["user_id"] = "Choose a user of this enterprise, or anyone."
    if wrong:
        raise InvalidInput("Check the marked fields.", fields=wrong)


def _set_lead(session: Session, callback: Callback) -> None:
    if callback.lead_id is None:
        return
    lead = session.get(Lead, callback.lead_id, with_for_update=True)
    if lead is None:
        raise NotFound("There is no such lead.")
    if lead.status not in (LeadStatus.IN_PROGRESS, LeadStatus.BLOCKED):
        lead.status, lead.next_at = LeadStatus.CALLBACK, callback.due_at


def _values(callback: Callback) -> dict[str, Any]:
    names = ("due_at", "lead_id", "customer_id", "campaign_id", "user_id", "note", "state")
    return {name: getattr(callback, name) for name in names}


def _tell(session: Session, callback: Callback) -> None:
    """Browsers that show call-backs load them again; the document says which one moved."""
    payload = {
        "id": callback.id,
        "user_id": callback.user_id,
        "state": callback.state,
        "due_at": callback.due_at.isoformat(),
    }
    tell(session, "live", topic="callbacks", payload=payload)
