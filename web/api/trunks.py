"""Trunks: the SIP lines, and how they are."""

from __future__ import annotations

import logging
from typing import Any

import redis
from flask_smorest import Blueprint
from sqlalchemy import select

from callcenter.audit import records
from callcenter.db.session import tenant_session
from callcenter.events import streams
from callcenter.telephony.models import TrunkRow
from dialer.actions import trunks as actions
from web.http import PageQuery, current_actor, paged, requires, tenant_id
from web.schemas.trunks import NewTrunkSchema, TrunkChangesSchema, TrunkPageSchema, TrunkSchema

blueprint = Blueprint("trunks", __name__, url_prefix="/api/trunks", description="Trunks")
log = logging.getLogger(__name__)
HEALTH_TOPIC = "trunks"


def _health() -> dict[str, Any]:
    """Trunk id (as text) → health. Empty when Redis or the engine is away: the settings can still be read."""
    try:
        found = streams.snapshot(tenant_id(), HEALTH_TOPIC)
    except redis.RedisError:
        log.warning("no health of trunks: Redis does not answer")
        return {}
    return found if isinstance(found, dict) else {}


def _render(row: TrunkRow, health: dict[str, Any]) -> dict[str, Any]:
    out = {"id": row.id, **records.content(row), "health": health.get(str(row.id))}
    out["has_password"] = bool(out.pop("password"))
    out["has_inbound_password"] = bool(out.pop("inbound_password"))
    return out


@blueprint.get("")
@requires("trunks.read")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, TrunkPageSchema)
def list_trunks(args: dict[str, Any]) -> dict[str, Any]:
    """All trunks in the order in which they are tried."""
    health = _health()
    with tenant_session(tenant_id()) as db:
        query = select(TrunkRow).order_by(TrunkRow.priority, TrunkRow.cost, TrunkRow.id)
        return paged(db, query, args, lambda row: _render(row, health))


@blueprint.post("")
@requires("trunks.write")
@blueprint.arguments(NewTrunkSchema)
@blueprint.response(201, TrunkSchema)
def create_trunk(given: dict[str, Any]) -> dict[str, Any]:
    """A new trunk."""
    with tenant_session(tenant_id()) as db:
        return _render(actions.create(db, current_actor(), given), {})


@blueprint.patch("/<int:trunk_id>")
@requires("trunks.write")
@blueprint.arguments(TrunkChangesSchema)
@blueprint.response(200, TrunkSchema)
def change_trunk(given: dict[str, Any], trunk_id: int) -> dict[str, Any]:
    """Change it; a password that is not given stays."""
    with tenant_session(tenant_id()) as db:
        return _render(actions.update(db, current_actor(), trunk_id, given), _health())


@blueprint.delete("/<int:trunk_id>")
@requires("trunks.write")
@blueprint.response(204)
def delete_trunk(trunk_id: int) -> None:
    """Delete one that no campaign names. Calls that are up go on."""
    with tenant_session(tenant_id()) as db:
        actions.delete(db, current_actor(), trunk_id)
