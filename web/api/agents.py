"""Agents: the floor as it stands, one's own day, and a supervisor's change of a state. What agents ask of the engine
for themselves is in agent.py."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter import wire
from callcenter.acd.views import AgentView
from callcenter.calls.commands import SetState
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.errors import NotFound
from callcenter.events import streams
from callcenter.tenancy import ranking
from dialer.queries import agents as queries
from web.http import current_actor, identity, requires, tenant_id
from web.schemas.agent import AgentDoneSchema, AgentStateSchema
from web.schemas.agents import BoardSchema, DeskSchema, RankingQuery, RankingSchema, RankingSettingsSchema

blueprint = Blueprint("agents", __name__, url_prefix="/api/agents", description="Agents and what they do")


def _views(people: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The newest document of each, offline where the engine has told nothing."""
    if not people:
        return []
    topics = [f"agent:{p['user_id']}" for p in people]
    found: Any = streams.client().hmget(streams.live_key(tenant_id()), topics)
    return [
        wire.plain(AgentView(p["user_id"], p["name"], 0, "offline", 0.0))
        if raw is None
        else wire.from_json(raw, dict[str, Any])
        for p, raw in zip(people, found, strict=True)
    ]


@blueprint.get("/board")
@requires("board.read")
@blueprint.response(200, BoardSchema)
def board() -> dict[str, Any]:
    """All agents that the user sees, as they stand now."""
    with tenant_session(tenant_id()) as db:
        people = queries.floor(db, current_actor())
    return {"agents": _views(people)}


@blueprint.get("/me")
@requires("desk.use")
@blueprint.response(200, DeskSchema)
def desk() -> dict[str, Any]:
    """The own state and day."""
    user = identity().user
    with tenant_session(tenant_id()) as db:
        day = queries.my_day(db, user.id, utc_now())
    [view] = _views([{"user_id": user.id, "name": user.name}])
    return {"view": view, "day": day, "pause_reasons": list(queries.PAUSE_REASONS)}


@blueprint.get("/ranking")
@requires("desk.use")
@blueprint.arguments(RankingQuery, location="query")
@blueprint.response(200, RankingSchema)
def get_ranking(args: dict[str, Any]) -> dict[str, Any]:
    """The own figures of today or this week, and how colleagues stand beside them."""
    with tenant_session(tenant_id()) as db:
        names = ranking.shows_names(db)
        return queries.ranking(db, identity().user.id, queries.Period(args["period"]), utc_now(), names=names)


@blueprint.get("/ranking/settings")
@requires("enterprise.write")
@blueprint.response(200, RankingSettingsSchema)
def get_ranking_settings() -> dict[str, bool]:
    """What the enterprise has decided about rankings."""
    with tenant_session(tenant_id()) as db:
        return {"names": ranking.shows_names(db)}


@blueprint.patch("/ranking/settings")
@requires("enterprise.write")
@blueprint.arguments(RankingSettingsSchema)
@blueprint.response(200, RankingSettingsSchema)
def patch_ranking_settings(given: dict[str, bool]) -> dict[str, bool]:
    """Decide whether agents see their colleagues' names in rankings."""
    with tenant_session(tenant_id()) as db:
        ranking.show_names(db, current_actor(), given["names"])
    return given


@blueprint.post("/<int:user_id>/state")
@requires("board.read")
@blueprint.arguments(AgentStateSchema)
@blueprint.response(200, AgentDoneSchema)
def set_state_of(given: dict[str, Any], user_id: int) -> dict[str, Any]:
    """A supervisor changes the state of an agent that they see."""
    with tenant_session(tenant_id()) as db:
        if all(p["user_id"] != user_id for p in queries.floor(db, current_actor())):
            raise NotFound("There is no such agent.")
    return {"result": streams.send(tenant_id(), SetState(user_id, given["state"], given["reason"]))}
