"""Queues: settings, who answers them, figures."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter.acd import actions, figures, queries
from callcenter.acd.models import Queue
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from web.http import current_actor, paged, requires, tenant_id
from web.schemas.queues import (
    MembersOfQueueSchema,
    NewQueueSchema,
    QueueChangesSchema,
    QueueDetailSchema,
    QueueFiguresQuery,
    QueueFiguresSchema,
    QueueOptionsSchema,
    QueuePageSchema,
    QueueQuery,
    QueuesOfAgentSchema,
)

blueprint = Blueprint("queues", __name__, url_prefix="/api/queues", description="Queues of callers")


@blueprint.get("")
@requires("queues.read")
@blueprint.arguments(QueueQuery, location="query")
@blueprint.response(200, QueuePageSchema)
def list_queues(args: dict[str, Any]) -> dict[str, Any]:
    """The queues that the user sees, by name."""
    with tenant_session(tenant_id()) as db:
        query = queries.visible(db, current_actor())
        if args["search"]:
            query = query.where(Queue.name.icontains(args["search"], autoescape=True))
        if "enabled" in args:
            query = query.where(Queue.enabled == args["enabled"])
        page = paged(db, query, args)
        page["items"] = queries.rows(db, page["items"])
        return page


@blueprint.post("")
@requires("queues.write")
@blueprint.arguments(NewQueueSchema)
@blueprint.response(201, QueueDetailSchema)
def create_queue(given: dict[str, Any]) -> dict[str, Any]:
    """A new queue; what is not given has its default."""
    with tenant_session(tenant_id()) as db:
        return queries.detail(db, actions.create(db, current_actor(), given))


@blueprint.get("/options")
@requires("queues.read")
@blueprint.response(200, QueueOptionsSchema)
def queue_options() -> dict[str, Any]:
    """Agents, skills, queues, menus, prompts and scripts that a queue can have."""
    with tenant_session(tenant_id()) as db:
        return queries.options(db)


@blueprint.get("/<int:queue_id>")
@requires("queues.read")
@blueprint.response(200, QueueDetailSchema)
def get_queue(queue_id: int) -> dict[str, Any]:
    """One queue with all its settings, members and needs."""
    with tenant_session(tenant_id()) as db:
        return queries.detail(db, queries.find(db, current_actor(), queue_id))


@blueprint.patch("/<int:queue_id>")
@requires("queues.write")
@blueprint.arguments(QueueChangesSchema)
@blueprint.response(200, QueueDetailSchema)
def change_queue(given: dict[str, Any], queue_id: int) -> dict[str, Any]:
    """Change settings; what is not given stays, in its groups (`waiting`, `overflow` …) too."""
    with tenant_session(tenant_id()) as db:
        return queries.detail(db, actions.update(db, current_actor(), queue_id, given))


@blueprint.delete("/<int:queue_id>")
@requires("queues.write")
@blueprint.response(204)
def delete_queue(queue_id: int) -> None:
    """Delete a queue that nothing leads to; else 409 `queue.in_use` with `params.used_by`. Its calls stay."""
    with tenant_session(tenant_id()) as db:
        actions.delete(db, current_actor(), queue_id)


@blueprint.put("/<int:queue_id>/members")
@requires("queues.write")
@blueprint.arguments(MembersOfQueueSchema)
@blueprint.response(200, QueueDetailSchema)
def put_queue_members(given: dict[str, Any], queue_id: int) -> dict[str, Any]:
    """From now on exactly these answer it."""
    with tenant_session(tenant_id()) as db:
        return queries.detail(db, actions.set_members(db, current_actor(), queue_id, given["members"]))


@blueprint.put("/of-agent/<int:user_id>")
@requires("queues.write")
@blueprint.arguments(QueuesOfAgentSchema)
@blueprint.response(200, QueuesOfAgentSchema)
def put_queues_of_agent(given: dict[str, Any], user_id: int) -> dict[str, Any]:
    """From now on the agent answers exactly these queues."""
    with tenant_session(tenant_id()) as db:
        return {"queue_ids": actions.move_agent(db, current_actor(), user_id, given["queue_ids"])}


@blueprint.get("/<int:queue_id>/figures")
@requires("queues.read")
@blueprint.arguments(QueueFiguresQuery, location="query")
@blueprint.response(200, QueueFiguresSchema)
def queue_figures(args: dict[str, Any], queue_id: int) -> dict[str, Any]:
    """Figures of the days `from` to `to` and of each hour in them, from the stored stays of calls."""
    with tenant_session(tenant_id()) as db:
        queries.find(db, current_actor(), queue_id)
        return figures.of_queue(db, queue_id, args.get("from_"), args.get("to"), utc_now())
