"""Supervisors: listen, whisper, barge, take over; agents' states and queues; messages (product row V2).

Only agents in the supervisor's sight are there for him; every command is audited.
"""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter import ids
from callcenter.acd import actions as queue_actions
from callcenter.audit.models import record
from callcenter.calls.commands import ForceState, Supervise
from callcenter.clock import wall_s
from callcenter.db.session import tenant_session
from callcenter.errors import Forbidden, NotFound
from callcenter.events import streams
from callcenter.tenancy import supervision as settings
from dialer.queries import agents as queries
from web.http import current_actor, identity, requires, tenant_id
from web.schemas.agent import AgentDoneSchema
from web.schemas.queues import QueuesOfAgentSchema
from web.schemas.supervision import (
    ForceStateSchema,
    SuperviseSchema,
    SupervisionSettingsSchema,
    SupervisorMessageSchema,
    SupervisorMessageSentSchema,
)

blueprint = Blueprint(
    "supervision", __name__, url_prefix="/api/supervision", description="Supervisors and their agents"
)
_LISTENS = frozenset({"listen", "stop"})


def _seen() -> dict[int, str]:
    """The agents that the supervisor sees: id → name."""
    with tenant_session(tenant_id()) as db:
        return {p["user_id"]: p["name"] for p in queries.floor(db, current_actor())}


def _name_of(agent_id: int) -> str:
    seen = _seen()
    if agent_id not in seen:
        raise NotFound("There is no such agent.")
    return seen[agent_id]


def _audit(action: str, agent_id: int, name: str, after: dict[str, Any]) -> None:
    with tenant_session(tenant_id()) as db:
        record(db, current_actor(), action, "agent", agent_id, name=name, after=after)


@blueprint.get("/settings")
@requires("supervise.listen")
@blueprint.response(200, SupervisionSettingsSchema)
def get_settings() -> dict[str, bool]:
    """What the enterprise has decided about supervising."""
    with tenant_session(tenant_id()) as db:
        return {"tell_agent": settings.tells_agent(db)}


@blueprint.patch("/settings")
@requires("enterprise.write")
@blueprint.arguments(SupervisionSettingsSchema)
@blueprint.response(200, SupervisionSettingsSchema)
def patch_settings(given: dict[str, bool]) -> dict[str, bool]:
    """Decide whether agents see that somebody listens."""
    settings.tell_agent(current_actor(), given["tell_agent"])
    return given


@blueprint.post("/messages")
@requires("supervise.message")
@blueprint.arguments(SupervisorMessageSchema)
@blueprint.response(200, SupervisorMessageSentSchema)
def post_message(given: dict[str, Any]) -> dict[str, int]:
    """Write to agents: it appears on their screens at once (live topic `user:{id}`)."""
    seen = _seen()
    whom = sorted(seen if given["all"] else set(given["user_ids"]))
    if any(user_id not in seen for user_id in whom):
        raise NotFound("There is no such agent.")
    sender = identity().user
    whom = [user_id for user_id in whom if user_id != sender.id or not given["all"]]
    message = {
        "kind": "message", "id": ids.new_id(wall_s()), "text": given["text"], "from_id": sender.id,
        "from_name": sender.name, "at": wall_s(),
    }  # fmt: skip
    with tenant_session(tenant_id()) as db:
        after = {"text": given["text"], "to": whom}
        record(db, current_actor(), "message", "agent", "all" if given["all"] else whom[0], after=after)
    for user_id in whom:
        streams.publish(tenant_id(), f"user:{user_id}", message)
    return {"sent": len(whom)}


@blueprint.post("/<int:agent_id>")
@requires("supervise.listen")
@blueprint.arguments(SuperviseSchema)
@blueprint.response(200, AgentDoneSchema)
def post_supervise(given: dict[str, str], agent_id: int) -> dict[str, Any]:
    """Listen to an agent's calls, whisper to him, speak with both, take his call, or stop."""
    how = given["how"]
    if how not in _LISTENS and "supervise.join" not in current_actor().permissions:
        raise Forbidden("You may listen, not speak.")
    name = _name_of(agent_id)
    with tenant_session(tenant_id()) as db:
        tell = settings.tells_agent(db)
    result = streams.send(tenant_id(), Supervise(identity().user.id, agent_id, how, tell))
    _audit(how if how != "stop" else "stop_listening", agent_id, name, {"how": how, "agent_is_told": tell})
    return {"result": result}


@blueprint.post("/<int:agent_id>/state")
@requires("supervise.state")
@blueprint.arguments(ForceStateSchema)
@blueprint.response(200, AgentDoneSchema)
def post_force_state(given: dict[str, Any], agent_id: int) -> dict[str, Any]:
    """Make an agent available, pause him or sign him off; at once, or after his call."""
    name = _name_of(agent_id)
    result = streams.send(tenant_id(), ForceState(user_id=agent_id, by_user=identity().user.id, **given))
    _audit("change_state", agent_id, name, given)
    return {"result": result}


@blueprint.post("/<int:agent_id>/queues")
@requires("supervise.state")
@blueprint.arguments(QueuesOfAgentSchema)
@blueprint.response(200, QueuesOfAgentSchema)
def post_agent_queues(given: dict[str, Any], agent_id: int) -> dict[str, Any]:
    """From now on the agent answers exactly these queues."""
    _name_of(agent_id)
    with tenant_session(tenant_id()) as db:
        return {"queue_ids": queue_actions.move_agent(db, current_actor(), agent_id, given["queue_ids"])}
