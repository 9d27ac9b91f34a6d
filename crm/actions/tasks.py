"""Write down, take, assign, close and reopen tasks by hand. Calls make and close them in `task_folding.py`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.acd.models import Queue
from callcenter.audit.models import Actor, record
from callcenter.auth.access import Access, access_to
from callcenter.auth.models import User
from callcenter.errors import Conflict, Forbidden, InvalidInput, NotFound
from crm.actions.task_folding import changed
from crm.models import Customer, Task, TaskKind
from crm.queries import tasks as queries

MAX_TITLE = 200
MAX_NOTE = 4000
_EDITABLE = ("title", "note", "due_at", "owner_id", "queue_id")


def create(session: Session, actor: Actor, given: Mapping[str, Any], *, now: datetime) -> Task:
    """A task by hand: `title`, `due_at`, and maybe `customer_id`, `phone_e164`, `owner_id`, `queue_id`, `note`.

    Raises InvalidInput, NotFound (the customer)."""
    _check(session, given)
    if not str(given.get("title") or "").strip():
        raise InvalidInput("Say what is to be done.", fields={"title": "Say what is to be done."})
    customer_id = given.get("customer_id")
    customer = session.get(Customer, customer_id) if customer_id is not None else None
    if customer_id is not None and customer is None:
        raise NotFound("There is no such customer.")
    phone = str(given.get("phone_e164") or "") or (customer.phones[0] if customer and customer.phones else "")
    task = Task(kind=TaskKind.MANUAL, customer_id=customer_id, phone_e164=phone, last_at=now)
    _put(task, given)
    session.add(task)
    session.flush()
    record(session, actor, "create", "task", task.id, name=task.title, after=_values(task))
    changed(session)
    return task


def change(session: Session, actor: Actor, task_id: int, changes: Mapping[str, Any]) -> Task:
    """Another title, note, time, owner or queue. Raises NotFound, Forbidden, InvalidInput."""
    task = _writable(session, actor, task_id)
    _check(session, changes)
    before = _values(task)
    _put(task, changes)
    return _done(session, actor, task, before)


def take(session: Session, actor: Actor, task_id: int) -> Task:
    """Make it one's own. Raises NotFound, Forbidden, Conflict (closed, or somebody else was quicker)."""
    task = _writable(session, actor, task_id)
    if task.state != "open":
        raise Conflict("This task is done already.", code="task_closed")
    if task.owner_id is not None and task.owner_id != actor.user_id:
        name = session.scalar(select(User.name).where(User.id == task.owner_id)) or ""
        raise Conflict(f"{name} has taken this task.", code="task_taken", params={"name": name})
    before = _values(task)
    task.owner_id = actor.user_id
    return _done(session, actor, task, before)


def close(session: Session, actor: Actor, task_id: int, *, now: datetime, note: str | None = None) -> Task:
    """It is done. Closing what is closed changes nothing. Raises NotFound, Forbidden, InvalidInput."""
    task = _writable(session, actor, task_id)
    if task.state != "open":
        return task
    before = _values(task)
    if note is not None:
        _check(session, {"note": note})
        task.note = note
    task.state, task.closed_at, task.closed_by = "done", now, actor.user_id
    return _done(session, actor, task, before)


def reopen(session: Session, actor: Actor, task_id: int) -> Task:
    """It was not done. Raises NotFound, Forbidden, Conflict (the same caller has an open one by now)."""
    task = _writable(session, actor, task_id)
    if task.state == "open":
        return task
    if task.kind == TaskKind.MISSED_CALL:
        twin = select(Task.id).where(
            Task.phone_e164 == task.phone_e164, Task.kind == TaskKind.MISSED_CALL.value, Task.state == "open"
        )
        if session.scalars(twin).first() is not None:
            raise Conflict("This caller has an open task already.", code="task_open_already")
    before = _values(task)
    task.state, task.closed_at, task.closed_by, task.closed_by_call_id = "open", None, None, None
    return _done(session, actor, task, before)


def _writable(session: Session, actor: Actor, task_id: int) -> Task:
    """The task, locked, if `actor` sees it and may change it."""
    task = session.get(Task, task_id, with_for_update=True)
    if task is None or not queries.sees(session, actor, task):
        raise NotFound("There is no such task.")
    if access_to(session, actor, task.owner_id) < Access.WRITE:
        raise Forbidden("This task is another's.", code="not_yours")
    return task


def _check(session: Session, given: Mapping[str, Any]) -> None:
    wrong: dict[str, str] = {}
    if len(str(given.get("title") or "")) > MAX_TITLE:
        wrong["title"] = f"Keep it under {MAX_TITLE} characters."
    if len(str(given.get("note") or "")) > MAX_NOTE:
        wrong["note"] = f"Keep it under {MAX_NOTE} characters."
    owner, queue = given.get("owner_id"), given.get("queue_id")
    if owner is not None and session.scalar(select(User.id).where(User.id == owner, User.enabled)) is None:
        wrong["owner_id"] = "Choose a user of this enterprise, or nobody."
    if queue is not None and session.get(Queue, queue) is None:
        wrong["queue_id"] = "Choose a queue, or none."
    if wrong:
        raise InvalidInput("Check the marked fields.", fields=wrong)


def _put(task: Task, given: Mapping[str, Any]) -> None:
    for name in _EDITABLE:
        if name in given:
            value = given[name]
            setattr(task, name, value.strip() if isinstance(value, str) else value)


def _done(session: Session, actor: Actor, task: Task, before: Mapping[str, Any]) -> Task:
    session.flush()
    after = _values(task)
    if after != before:
        record(session, actor, "update", "task", task.id, name=task.title, before=before, after=after)
        changed(session)
    return task


def _values(task: Task) -> dict[str, Any]:
    names = ("kind", "title", "customer_id", "owner_id", "queue_id", "due_at", "state", "note")
    return {name: getattr(task, name) for name in names}
