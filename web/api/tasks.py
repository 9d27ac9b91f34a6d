"""Tasks: messages to be heard, missed callers to be called back, and what somebody wrote down."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from callcenter.calls.commands import Dial
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.errors import Conflict, Forbidden, NotFound
from callcenter.events import streams
from crm.actions import tasks as actions
from crm.models import Task
from crm.queries import tasks as queries
from crm.queries.dialing import callee
from web.http import current_actor, paged, requires, tenant_id
from web.schemas.dial import DialedSchema
from web.schemas.tasks import (
    NewTaskSchema,
    TaskChangesSchema,
    TaskCloseSchema,
    TaskCountsSchema,
    TaskPageSchema,
    TaskQuery,
    TaskSchema,
)

blueprint = Blueprint("tasks", __name__, url_prefix="/api/tasks", description="Tasks")


def _render(db: Session, task: Task) -> dict[str, Any]:
    db.flush()
    return queries.rendered(current_actor(), db.execute(queries.one(task.id)).one(), utc_now())


def _seen(db: Session, task_id: int) -> Task:
    task = db.get(Task, task_id)
    if task is None or not queries.sees(db, current_actor(), task):
        raise NotFound("There is no such task.")
    return task


@blueprint.get("")
@requires("tasks.read")
@blueprint.arguments(TaskQuery, location="query")
@blueprint.response(200, TaskPageSchema)
def list_tasks(args: dict[str, Any]) -> dict[str, Any]:
    """Tasks, the most urgent first."""
    now, actor = utc_now(), current_actor()
    chosen = {n: args[n] for n in ("whose", "state", "kind", "queue_id", "customer_id", "overdue") if n in args}
    with tenant_session(tenant_id()) as db:
        return paged(db, queries.visible(db, actor, now=now, **chosen), args, lambda r: queries.rendered(actor, r, now))


@blueprint.get("/counts")
@requires("tasks.read")
@blueprint.response(200, TaskCountsSchema)
def count_tasks() -> dict[str, int]:
    """How many are open: all that I see, mine, mine overdue, nobody's."""
    with tenant_session(tenant_id()) as db:
        return queries.counts(db, current_actor(), utc_now())


@blueprint.post("")
@requires("tasks.write")
@blueprint.arguments(NewTaskSchema)
@blueprint.response(201, TaskSchema)
def post_task(given: dict[str, Any]) -> dict[str, Any]:
    """Write a task down, for me, for another (`owner_id`), or for nobody yet (null)."""
    actor = current_actor()
    with tenant_session(tenant_id()) as db:
        return _render(db, actions.create(db, actor, {"owner_id": actor.user_id, **given}, now=utc_now()))


@blueprint.get("/<int:task_id>")
@requires("tasks.read")
@blueprint.response(200, TaskSchema)
def get_task(task_id: int) -> dict[str, Any]:
    """One task."""
    with tenant_session(tenant_id()) as db:
        return _render(db, _seen(db, task_id))


@blueprint.patch("/<int:task_id>")
@requires("tasks.write")
@blueprint.arguments(TaskChangesSchema)
@blueprint.response(200, TaskSchema)
def patch_task(given: dict[str, Any], task_id: int) -> dict[str, Any]:
    """Assign it, move it to another time, or write a note."""
    with tenant_session(tenant_id()) as db:
        return _render(db, actions.change(db, current_actor(), task_id, given))


@blueprint.post("/<int:task_id>/take")
@requires("tasks.write")
@blueprint.response(200, TaskSchema)
def take_task(task_id: int) -> dict[str, Any]:
    """Make it mine; of two who take it, one gets it."""
    with tenant_session(tenant_id()) as db:
        return _render(db, actions.take(db, current_actor(), task_id))


@blueprint.post("/<int:task_id>/close")
@requires("tasks.write")
@blueprint.arguments(TaskCloseSchema)
@blueprint.response(200, TaskSchema)
def close_task(given: dict[str, Any], task_id: int) -> dict[str, Any]:
    """It is done."""
    with tenant_session(tenant_id()) as db:
        return _render(db, actions.close(db, current_actor(), task_id, now=utc_now(), note=given.get("note")))


@blueprint.post("/<int:task_id>/reopen")
@requires("tasks.write")
@blueprint.response(200, TaskSchema)
def reopen_task(task_id: int) -> dict[str, Any]:
    """It was not done after all."""
    with tenant_session(tenant_id()) as db:
        return _render(db, actions.reopen(db, current_actor(), task_id))


@blueprint.post("/<int:task_id>/call")
@requires("tasks.read", "calls.dial")
@blueprint.response(200, DialedSchema)
def call_back(task_id: int) -> Any:
    """Call the task's number from my phone. The conversation closes the task by itself."""
    actor = current_actor()
    if actor.user_id is None:
        raise Forbidden("Only a user can dial.")
    with tenant_session(tenant_id()) as db:
        task = _seen(db, task_id)
        if not task.phone_e164 and task.customer_id is None:
            raise Conflict("Nobody knows the number of this caller.", code="task_without_number")
        given: dict[str, Any] = {"number": task.phone_e164} if task.phone_e164 else {"customer_id": task.customer_id}
        found = callee(db, actor, now=utc_now(), **given)
    return streams.send(tenant_id(), Dial(user_id=actor.user_id, **asdict(found)))
