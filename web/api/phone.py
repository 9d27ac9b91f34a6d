"""The browser's phone: its WebRTC offer goes to the engine, the answer comes back; no SIP in the browser."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter.calls.commands import PhoneClose, PhoneOffer
from callcenter.events import streams
from web.http import identity, requires, tenant_id
from web.schemas.agent import PhoneAnswerSchema, PhoneOfferSchema

blueprint = Blueprint("phone", __name__, url_prefix="/api/phone", description="The browser's phone")
_OFFER_WAIT_S = 6.0


@blueprint.post("/offer")
@requires("desk.use")
@blueprint.arguments(PhoneOfferSchema)
@blueprint.response(200, PhoneAnswerSchema)
def post_offer(given: dict[str, str]) -> Any:
    """Open the agent's audio leg, or attach a reloaded page to it. Answers with the SDP to set."""
    return streams.send(tenant_id(), PhoneOffer(user_id=identity().user.id, sdp=given["sdp"]), wait_s=_OFFER_WAIT_S)


@blueprint.post("/close")
@requires("desk.use")
@blueprint.response(204)
def post_close() -> None:
    """The page is left on purpose."""
    streams.send(tenant_id(), PhoneClose(user_id=identity().user.id), wait_s=None)
