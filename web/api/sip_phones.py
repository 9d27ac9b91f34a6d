"""SIP phones: desk phones and softphones of users, and whether they are registered."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.auth.models import User
from callcenter.db.session import tenant_session
from callcenter.telephony import registrations
from callcenter.telephony import sip_phones as actions
from callcenter.telephony.models import SipPhoneRow
from callcenter.telephony.phones import Registration
from web.http import current_actor, identity, paged, requires, tenant_id
from web.schemas.sip_phones import (
    NewSipPhoneSchema,
    OneSipPhoneSchema,
    OwnSipPhoneSchema,
    SipPhoneChangesSchema,
    SipPhoneMadeSchema,
    SipPhonePageSchema,
    SipPhoneQuery,
    SipPhoneSchema,
)

blueprint = Blueprint("sip_phones", __name__, url_prefix="/api/sip-phones", description="Desk phones")


@blueprint.get("")
@requires("users.read")
@blueprint.arguments(SipPhoneQuery, location="query")
@blueprint.response(200, SipPhonePageSchema)
def list_sip_phones(args: dict[str, Any]) -> dict[str, Any]:
    """The phones of the users one sees, by their names."""
    places = registrations.places(tenant_id())
    with tenant_session(tenant_id()) as db:
        query = actions.phones_query(db, current_actor(), args["search"])
        return paged(db, query, args, lambda row: _render(db, row, places))


@blueprint.post("")
@requires("users.write")
@blueprint.arguments(NewSipPhoneSchema)
@blueprint.response(201, SipPhoneMadeSchema)
def post_sip_phone(given: dict[str, int]) -> dict[str, Any]:
    """Make a phone for a user who has none. The password is in this answer only."""
    with tenant_session(tenant_id()) as db:
        return _made(db, actions.make(db, current_actor(), given["user_id"]))


@blueprint.get("/own")
@requires("desk.use")
@blueprint.response(200, OwnSipPhoneSchema)
def get_own_sip_phone() -> dict[str, Any]:
    """One's own phone, and where it registers."""
    with tenant_session(tenant_id()) as db:
        row = db.scalars(select(SipPhoneRow).where(SipPhoneRow.user_id == identity().user.id)).one_or_none()
        phone = _render(db, row, registrations.places(tenant_id())) if row is not None else None
    return {"phone": phone, "server": _server()}


@blueprint.get("/<int:phone_id>")
@requires("users.read")
@blueprint.response(200, OneSipPhoneSchema)
def get_sip_phone(phone_id: int) -> dict[str, Any]:
    """One phone, and where it registers."""
    with tenant_session(tenant_id()) as db:
        row = actions.find_phone(db, current_actor(), phone_id)
        return {"phone": _render(db, row, registrations.places(tenant_id())), "server": _server()}


@blueprint.patch("/<int:phone_id>")
@requires("users.write")
@blueprint.arguments(SipPhoneChangesSchema)
@blueprint.response(200, SipPhoneSchema)
def patch_sip_phone(given: dict[str, bool], phone_id: int) -> dict[str, Any]:
    """Let it register, or not. A call that is up on it goes on."""
    with tenant_session(tenant_id()) as db:
        row = actions.enable(db, current_actor(), phone_id, given["enabled"])
        return _render(db, row, registrations.places(tenant_id()) if row.enabled else {})


@blueprint.post("/<int:phone_id>/password")
@requires("users.write")
@blueprint.response(200, SipPhoneMadeSchema)
def post_sip_phone_password(phone_id: int) -> dict[str, Any]:
    """Another password, in this answer only; what registered by the old one is registered no longer."""
    with tenant_session(tenant_id()) as db:
        return _made(db, actions.renew_password(db, current_actor(), phone_id))


@blueprint.delete("/<int:phone_id>")
@requires("users.write")
@blueprint.response(204)
def delete_sip_phone(phone_id: int) -> None:
    """Delete it; its user speaks through the browser again."""
    with tenant_session(tenant_id()) as db:
        actions.delete(db, current_actor(), phone_id)


def _made(db: Session, made: actions.Made) -> dict[str, Any]:
    return {"phone": _render(db, made.phone, {}), "password": made.password, "server": _server()}


def _server() -> dict[str, Any] | None:
    found = registrations.server(tenant_id())
    return None if found is None else {"host": found[0], "port": found[1]}


def _render(db: Session, row: SipPhoneRow, places: dict[int, Registration]) -> dict[str, Any]:
    user, place = db.get(User, row.user_id), places.get(row.id)
    return {
        "id": row.id,
        "user_id": row.user_id,
        "user_name": user.name if user is not None else "",
        "username": row.username,
        "enabled": row.enabled,
        "created_at": row.created_at,
        "registered": place is not None,
        "device": place.user_agent if place is not None else "",
        "address": f"{place.host}:{place.port}" if place is not None else "",
        "since": place.since if place is not None else None,
        "answers": place.answers if place is not None else None,
    }
