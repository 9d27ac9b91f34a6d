"""The agent's states and calls: each endpoint sends one command to the engine and returns its answer."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter.calls.commands import (
    AnswerCall,
    DeclineCall,
    Dtmf,
    HangUp,
    Hold,
    IdentifyCaller,
    PauseAfter,
    PreviewAnswer,
    SetDisposition,
    SetState,
)
from callcenter.clock import wall_s
from callcenter.db.session import tenant_session
from callcenter.events import streams
from crm.queries.card import find
from dialer.queries.outcomes import check_outcome
from web.http import current_actor, identity, requires, tenant_id
from web.schemas.agent import (
    AgentCustomerSchema,
    AgentDispositionSchema,
    AgentDoneSchema,
    AgentDtmfSchema,
    AgentHoldSchema,
    AgentPauseAfterSchema,
    AgentPreviewSchema,
    AgentStateSchema,
)

blueprint = Blueprint("agent", __name__, url_prefix="/api/agent", description="The agent's states and calls")


def _send(command: type, **values: Any) -> dict[str, Any]:
    return {"result": streams.send(tenant_id(), command(user_id=identity().user.id, **values))}


@blueprint.post("/state")
@requires("desk.use")
@blueprint.arguments(AgentStateSchema)
@blueprint.response(200, AgentDoneSchema)
def post_state(given: dict[str, Any]) -> dict[str, Any]:
    """Become available, paused (with a reason) or offline; during a call it takes effect afterwards."""
    return _send(SetState, **given)


@blueprint.post("/pause-after")
@requires("desk.use")
@blueprint.arguments(AgentPauseAfterSchema)
@blueprint.response(200, AgentDoneSchema)
def post_pause_after(given: dict[str, Any]) -> dict[str, Any]:
    """Pause when the present call and its wrap-up are done."""
    return _send(PauseAfter, **given)


@blueprint.post("/call/hangup")
@requires("desk.use")
@blueprint.response(200, AgentDoneSchema)
def post_hangup() -> dict[str, Any]:
    """End the call."""
    return _send(HangUp)


@blueprint.post("/call/answer")
@requires("desk.use")
@blueprint.response(200, AgentDoneSchema)
def post_answer() -> dict[str, Any]:
    """Pick up the call that rings."""
    return _send(AnswerCall)


@blueprint.post("/call/decline")
@requires("desk.use")
@blueprint.response(200, AgentDoneSchema)
def post_decline() -> dict[str, Any]:
    """Do not take the call that rings: it goes on to the next, the agent is paused."""
    return _send(DeclineCall)


@blueprint.post("/call/hold")
@requires("desk.use")
@blueprint.arguments(AgentHoldSchema)
@blueprint.response(200, AgentDoneSchema)
def post_hold(given: dict[str, Any]) -> dict[str, Any]:
    """Hold the call, or take it back."""
    return _send(Hold, **given)


@blueprint.post("/call/dtmf")
@requires("desk.use")
@blueprint.arguments(AgentDtmfSchema)
@blueprint.response(200, AgentDoneSchema)
def post_dtmf(given: dict[str, Any]) -> dict[str, Any]:
    """Send keypad digits."""
    return _send(Dtmf, **given)


@blueprint.post("/call/disposition")
@requires("desk.use")
@blueprint.arguments(AgentDispositionSchema)
@blueprint.response(200, AgentDoneSchema)
def post_disposition(given: dict[str, Any]) -> dict[str, Any]:
    """Set the call's outcome, in talk or in wrap-up, which it ends. A promised call-back needs a time in the future."""
    with tenant_session(tenant_id()) as db:
        given["callback_at"] = check_outcome(db, given["disposition_id"], given["callback_at"], wall_s())
    return _send(SetDisposition, **given)


@blueprint.post("/call/customer")
@requires("desk.use")
@blueprint.arguments(AgentCustomerSchema)
@blueprint.response(200, AgentDoneSchema)
def post_customer(given: dict[str, Any]) -> dict[str, Any]:
    """Say which customer the caller is; the call goes on that customer's history."""
    with tenant_session(tenant_id()) as db:
        customer = find(db, current_actor(), customer_id=given["customer_id"]).customer
        assert customer is not None
        card = {"name": customer.name, "customer_id": customer.id}
    return _send(IdentifyCaller, customer_id=card["customer_id"], card=card)


@blueprint.post("/call/preview")
@requires("desk.use")
@blueprint.arguments(AgentPreviewSchema)
@blueprint.response(200, AgentDoneSchema)
def post_preview(given: dict[str, Any]) -> dict[str, Any]:
    """Dial the previewed lead, or skip it."""
    return _send(PreviewAnswer, **given)
