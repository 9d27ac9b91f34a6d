"""The agent's phone. The browser's: its WebRTC offer goes to the engine, the answer comes back; no SIP in the browser.
Or a telephone, which the engine calls (`/device`): one with a number, or a registered SIP phone."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.auth import own
from callcenter.auth.models import User
from callcenter.calls.commands import PhoneClose, PhoneDevice, PhoneOffer
from callcenter.db.session import tenant_session
from callcenter.errors import Conflict, Forbidden, InvalidInput
from callcenter.events import streams
from callcenter.telephony.models import SipPhoneRow
from crm.queries.dialing import dialable
from web.http import current_actor, identity, requires, tenant_id
from web.schemas.agent import AgentDoneSchema, PhoneAnswerSchema, PhoneOfferSchema
from web.schemas.transfers import PhoneDeviceSchema, PhoneDeviceStateSchema

blueprint = Blueprint("phone", __name__, url_prefix="/api/phone", description="The browser's phone")
_OFFER_WAIT_S = 6.0


@blueprint.post("/offer")
@requires("desk.use")
@blueprint.arguments(PhoneOfferSchema)
@blueprint.response(200, PhoneAnswerSchema)
def post_offer(given: dict[str, str]) -> Any:
    """Open the agent's audio leg, or attach a reloaded page to it. Answers with the SDP to set."""
    return streams.send(tenant_id(), PhoneOffer(user_id=identity().user.id, sdp=given["sdp"]), wait_s=_OFFER_WAIT_S)


@blueprint.get("/device")
@requires("desk.use")
@blueprint.response(200, PhoneDeviceStateSchema)
def get_device() -> dict[str, Any]:
    """What one speaks with, the telephone's number, and whether one has a SIP phone."""
    return _device()


@blueprint.patch("/device")
@requires("desk.use")
@blueprint.arguments(PhoneDeviceSchema)
@blueprint.response(200, PhoneDeviceStateSchema)
def patch_device(given: dict[str, str]) -> dict[str, Any]:
    """Choose the browser or a telephone as one's phone, from now on. Call it with `/device/connect`."""
    if given["kind"] != "browser" and "desk.telephone" not in current_actor().permissions:
        raise Forbidden("You may not use a telephone as your phone.")
    with tenant_session(tenant_id()) as db:
        number = dialable(db, given["number"]) if given["number"] else ""
        user = db.get(User, identity().user.id)
        if given["kind"] == "number" and not number and not (user is not None and user.phone_number):
            sentence = "Give the telephone's number."
            raise InvalidInput(sentence, fields={"number": sentence})
        if given["kind"] == "sip" and not _has_sip_phone(db):
            raise Conflict("You have no SIP phone. Ask your administrator for one.", code="no_sip_phone")
    if given["kind"] == "browser" and _device()["kind"] != "browser":
        streams.send(tenant_id(), PhoneDevice(identity().user.id, "browser"))  # refused during a call
    own.choose_phone(current_actor(), given["kind"], number)
    return _device()


@blueprint.post("/device/connect")
@requires("desk.telephone")
@blueprint.response(200, AgentDoneSchema)
def post_device_connect() -> dict[str, Any]:
    """Have one's own telephone called: answered, it is the phone, and stays up until it is hung up."""
    chosen = _device()
    if chosen["kind"] == "browser":
        raise InvalidInput("Choose a telephone as your phone first.", code="no_telephone")
    number = chosen["number"] if chosen["kind"] == "number" else ""
    command = PhoneDevice(identity().user.id, chosen["kind"], number)
    return {"result": streams.send(tenant_id(), command, wait_s=_OFFER_WAIT_S)}


def _device() -> dict[str, Any]:
    with tenant_session(tenant_id()) as db:
        user = db.get(User, identity().user.id)
        assert user is not None
        allowed = "desk.telephone" in current_actor().permissions
        return {
            "kind": user.phone_device, "number": user.phone_number, "allowed": allowed, "sip": _has_sip_phone(db),
        }  # fmt: skip


def _has_sip_phone(db: Session) -> bool:
    query = select(SipPhoneRow.id).where(SipPhoneRow.user_id == identity().user.id, SipPhoneRow.enabled)
    return db.scalar(query) is not None


@blueprint.post("/close")
@requires("desk.use")
@blueprint.response(204)
def post_close() -> None:
    """The page is left on purpose."""
    streams.send(tenant_id(), PhoneClose(user_id=identity().user.id), wait_s=None)
