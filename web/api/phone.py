"""The browser's softphone: its WebRTC offer goes to the engine, the engine's answer comes back."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from callcenter.calls import commands
from callcenter.errors import Unavailable
from callcenter.events import streams
from web.http import identity, requires, tenant_id

blueprint = Blueprint("phone", __name__, url_prefix="/api/phone", description="Browser audio")
ANSWER_WITHIN_S = 8.0  # the edge gathers its candidates meanwhile


class SdpSchema(Schema):
    sdp = fields.String(required=True, validate=validate.Length(1, 100_000))


@blueprint.post("/offer")
@requires("desk.use")
@blueprint.arguments(SdpSchema)
@blueprint.response(200, SdpSchema)
def offer(given: dict[str, Any]) -> dict[str, Any]:
    """Open the agent's audio leg, or take up the one that is there. Answers with the session description."""
    command = commands.PhoneOffer(identity().user.id, given["sdp"])
    answer = streams.send(tenant_id(), command, wait_s=ANSWER_WITHIN_S)
    if not isinstance(answer, dict) or not isinstance(answer.get("sdp"), str):
        raise Unavailable("The telephone engine gave no answer for the browser's audio. Try again in a moment.")
    return {"sdp": answer["sdp"]}


@blueprint.post("/close")
@requires("desk.use")
@blueprint.response(204)
def close() -> None:
    """The page is left on purpose."""
    streams.send(tenant_id(), commands.PhoneClose(identity().user.id), wait_s=None)
