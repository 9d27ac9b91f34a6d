"""Agents: the floor as it stands, one's own day, and what an agent asks the engine to do.

The engine owns every state. A command here is an errand: it carries the user's wish over and the engine's answer back.
"""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy import select

from callcenter import wire
from callcenter.acd.views import AgentView
from callcenter.calls import commands
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.errors import InvalidInput, NotFound
from callcenter.events import streams
from crm.models import Disposition
from dialer.queries import agents as queries
from web.http import current_actor, identity, requires, tenant_id
from web.schemas.agents import (
    AnswerSchema,
    BoardSchema,
    DeskSchema,
    DtmfSchema,
    HoldSchema,
    PauseAfterSchema,
    PreviewSchema,
    SetDispositionSchema,
    SetStateSchema,
)

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


def _ask(command: object) -> dict[str, Any]:
    return {"ok": streams.send(tenant_id(), command)}


def _me() -> int:
    return identity().user.id


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


@blueprint.post("/me/state")
@requires("desk.use")
@blueprint.arguments(SetStateSchema)
@blueprint.response(200, AnswerSchema)
def set_state(given: dict[str, Any]) -> dict[str, Any]:
    """Become available, paused or offline; during a call it takes effect afterwards."""
    return _ask(commands.SetState(_me(), given["state"], given["reason"]))


@blueprint.post("/me/pause-after")
@requires("desk.use")
@blueprint.arguments(PauseAfterSchema)
@blueprint.response(200, AnswerSchema)
def pause_after(given: dict[str, Any]) -> dict[str, Any]:
    """Pause when the present call and its wrap-up are done."""
    return _ask(commands.PauseAfter(_me(), given["on"], given["reason"]))


@blueprint.post("/me/hangup")
@requires("desk.use")
@blueprint.response(200, AnswerSchema)
def hang_up() -> dict[str, Any]:
    """End the present call."""
    return _ask(commands.HangUp(_me()))


@blueprint.post("/me/hold")
@requires("desk.use")
@blueprint.arguments(HoldSchema)
@blueprint.response(200, AnswerSchema)
def hold(given: dict[str, Any]) -> dict[str, Any]:
    """Hold the customer, or go on."""
    return _ask(commands.Hold(_me(), given["on"]))


@blueprint.post("/me/dtmf")
@requires("desk.use")
@blueprint.arguments(DtmfSchema)
@blueprint.response(200, AnswerSchema)
def dtmf(given: dict[str, Any]) -> dict[str, Any]:
    """Send keypad digits."""
    return _ask(commands.Dtmf(_me(), given["digits"]))


@blueprint.post("/me/preview")
@requires("desk.use")
@blueprint.arguments(PreviewSchema)
@blueprint.response(200, AnswerSchema)
def preview(given: dict[str, Any]) -> dict[str, Any]:
    """Dial the previewed lead, or skip it."""
    return _ask(commands.PreviewAnswer(_me(), given["dial"]))


@blueprint.post("/me/disposition")
@requires("desk.use")
@blueprint.arguments(SetDispositionSchema)
@blueprint.response(200, AnswerSchema)
def set_disposition(given: dict[str, Any]) -> dict[str, Any]:
    """The outcome of a call. One with the call-back flag needs a time in the future."""
    with tenant_session(tenant_id()) as db:
        row = db.scalars(
            select(Disposition).where(Disposition.id == given["disposition_id"], Disposition.enabled)
        ).one_or_none()
    if row is None:
        raise NotFound("This disposition does not exist any more. Choose another.", code="disposition.gone")
    due = given["callback_at"] if row.callback else None
    if row.callback and (due is None or due <= utc_now()):
        sentence = "Choose when to call back, in the future."
        raise InvalidInput(sentence, code="callback_time", fields={"callback_at": sentence})
    return _ask(
        commands.SetDisposition(
            user_id=_me(),
            call_id=given["call_id"],
            disposition_id=row.id,
            note=given["note"].strip(),
            callback_at=due.timestamp() if due is not None else None,
            callback_mine=given["callback_mine"],
            next_state=given["next_state"],
        )
    )


@blueprint.post("/<int:user_id>/state")
@requires("board.read")
@blueprint.arguments(SetStateSchema)
@blueprint.response(200, AnswerSchema)
def set_state_of(given: dict[str, Any], user_id: int) -> dict[str, Any]:
    """A supervisor changes the state of an agent that they see."""
    with tenant_session(tenant_id()) as db:
        if all(p["user_id"] != user_id for p in queries.floor(db, current_actor())):
            raise NotFound("There is no such agent.")
    return _ask(commands.SetState(user_id, given["state"], given["reason"]))
