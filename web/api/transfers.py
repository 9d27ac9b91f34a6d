"""Others in the agent's call: transfer, consult, conference, park, message, recording. Each endpoint sends one command
to the engine and returns its answer."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter import wire
from callcenter.calls import commands as c
from callcenter.db.session import tenant_session
from callcenter.errors import Forbidden, NotFound
from callcenter.events import streams
from callcenter.prompts.models import Prompt
from crm.queries.dialing import dialable
from dialer.queries import transfer_targets
from web.http import PageQuery, current_actor, identity, requires, tenant_id
from web.schemas.agent import AgentDoneSchema
from web.schemas.transfers import (
    AgentPartySchema,
    AgentRecordSchema,
    AgentSlotSchema,
    AgentTransferSchema,
    AgentVoicemailDropSchema,
    ParkedCallPageSchema,
    TransferTargetPageSchema,
    TransferTargetQuery,
)

blueprint = Blueprint("transfers", __name__, url_prefix="/api", description="Others in the agent's call")


def _send(command: type, **values: Any) -> dict[str, Any]:
    return {"result": streams.send(tenant_id(), command(user_id=identity().user.id, **values))}


@blueprint.post("/agent/call/transfer")
@requires("desk.use")
@blueprint.arguments(AgentTransferSchema)
@blueprint.response(200, AgentDoneSchema)
def post_transfer(given: dict[str, Any]) -> dict[str, Any]:
    """Give the call to a colleague, queue, menu, voicemail box or number: at once, or (a colleague, a number) after
    speaking with them while the customer is held."""
    with tenant_session(tenant_id()) as db:
        if given["kind"] == "number":
            if "calls.dial" not in current_actor().permissions:
                raise Forbidden("You may not call numbers yourself, so not transfer to them either.")
            given["number"] = dialable(db, given["number"])
        elif not transfer_targets.exists(db, given["kind"], given["id"]) and given["id"] is not None:
            raise NotFound("There is nothing to transfer to any more.")
    return _send(c.Transfer, **given)


@blueprint.post("/agent/call/transfer/complete")
@requires("desk.use")
@blueprint.response(200, AgentDoneSchema)
def post_transfer_complete() -> dict[str, Any]:
    """Whoever is consulted has the call from now on."""
    return _send(c.CompleteTransfer)


@blueprint.post("/agent/call/conference")
@requires("desk.use")
@blueprint.response(200, AgentDoneSchema)
def post_conference() -> dict[str, Any]:
    """Customer, agent and the consulted one hear each other."""
    return _send(c.MakeConference)


@blueprint.post("/agent/call/leave")
@requires("desk.use")
@blueprint.response(200, AgentDoneSchema)
def post_leave() -> dict[str, Any]:
    """Leave a conference; the others go on."""
    return _send(c.LeaveCall)


@blueprint.post("/agent/call/drop-party")
@requires("desk.use")
@blueprint.arguments(AgentPartySchema)
@blueprint.response(200, AgentDoneSchema)
def post_drop_party(given: dict[str, Any]) -> dict[str, Any]:
    """End a consultation, or take somebody out of a conference."""
    return _send(c.DropParty, **given)


@blueprint.post("/agent/call/park")
@requires("desk.use")
@blueprint.response(200, AgentDoneSchema)
def post_park() -> dict[str, Any]:
    """Park the call; the answer's `slot` says where."""
    return _send(c.Park)


@blueprint.post("/agent/call/pick-up")
@requires("desk.use")
@blueprint.arguments(AgentSlotSchema)
@blueprint.response(200, AgentDoneSchema)
def post_pick_up(given: dict[str, Any]) -> dict[str, Any]:
    """Take a parked call."""
    return _send(c.PickUp, **given)


@blueprint.post("/agent/call/voicemail-drop")
@requires("desk.use")
@blueprint.arguments(AgentVoicemailDropSchema)
@blueprint.response(200, AgentDoneSchema)
def post_voicemail_drop(given: dict[str, Any]) -> dict[str, Any]:
    """Leave a recorded message on the far end's answering machine, and be free at once."""
    with tenant_session(tenant_id()) as db:
        if db.get(Prompt, given["prompt_id"]) is None:
            raise NotFound("There is no such message.")
    return _send(c.VoicemailDrop, **given)


@blueprint.post("/agent/call/record")
@requires("desk.use")
@blueprint.arguments(AgentRecordSchema)
@blueprint.response(200, AgentDoneSchema)
def post_record(given: dict[str, Any]) -> dict[str, Any]:
    """Start recording where it is done on demand; pause it (card numbers) and go on with it."""
    return _send(c.RecordCall, **given)


@blueprint.get("/agent/transfer-targets")
@requires("desk.use")
@blueprint.arguments(TransferTargetQuery, location="query")
@blueprint.response(200, TransferTargetPageSchema)
def list_transfer_targets(args: dict[str, Any]) -> dict[str, Any]:
    """Whom the call can be given to: colleagues with their states, queues, menus, numbers spoken with lately."""
    actor = current_actor()
    numbers = {"calls.dial", "numbers.unmasked"} <= actor.permissions
    with tenant_session(tenant_id()) as db:
        found = transfer_targets.targets(db, identity().user.id, args["q"].strip(), numbers=numbers)
    page = _page(found, args)
    items: list[dict[str, Any]] = page["items"]
    topics = [f"agent:{t['id']}" for t in items if t["kind"] == "agent"]
    documents: Any = streams.client().hmget(streams.live_key(tenant_id()), topics) if topics else []
    states = {}
    for topic, raw in zip(topics, documents, strict=True):
        states[topic] = str(wire.from_json(raw, dict[str, Any]).get("state") or "offline") if raw else "offline"
    for item in items:
        item["state"] = states[f"agent:{item['id']}"] if item["kind"] == "agent" else ""
    return page


@blueprint.get("/parked")
@requires("desk.use")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, ParkedCallPageSchema)
def list_parked(args: dict[str, Any]) -> dict[str, Any]:
    """The calls that wait in the parking slots. The live topic `parked` has the same under `calls`."""
    document: Any = streams.snapshot(tenant_id(), "parked") or {}
    return _page(document.get("calls", []), args)


def _page(found: list[dict[str, Any]], args: dict[str, Any]) -> dict[str, Any]:
    first = (args["page"] - 1) * args["per_page"]
    items = found[first : first + args["per_page"]]
    return {"items": items, "total": len(found), "page": args["page"], "per_page": args["per_page"]}
