"""Call-backs: the promises to call again. The example of an endpoint.

A route opens a session for the enterprise of the request, asks one query or action, and renders. What is allowed,
what is checked and what is told to others is decided in `crm/actions/callbacks.py`.
"""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from crm.actions import callbacks as actions
from crm.models import Callback
from crm.queries import callbacks as queries
from web.http import current_actor, paged, requires, tenant_id
from web.schemas.callbacks import (
    CallbackChangesSchema,
    CallbackPageSchema,
    CallbackQuery,
    CallbackSchema,
    NewCallbackSchema,
)

blueprint = Blueprint("callbacks", __name__, url_prefix="/api/callbacks", description="Promised calls")


def _render(db: Session, callback: Callback) -> dict[str, Any]:
    row = db.execute(queries.one(callback.id)).one()
    return queries.rendered(current_actor(), row, utc_now())


@blueprint.get("")
@requires("customers.read")
@blueprint.arguments(CallbackQuery, location="query")
@blueprint.response(200, CallbackPageSchema)
def list_callbacks(args: dict[str, Any]) -> dict[str, Any]:
    """Promised calls, the soonest first."""
    now, actor = utc_now(), current_actor()
    with tenant_session(tenant_id()) as db:
        query = queries.visible(db, actor, whose=args["whose"], due=args.get("due"), state=args["state"], now=now)
        return paged(db, query, args, lambda row: queries.rendered(actor, row, now))


@blueprint.post("")
@requires("customers.write")
@blueprint.arguments(NewCallbackSchema)
@blueprint.response(201, CallbackSchema)
def create_callback(given: dict[str, Any]) -> dict[str, Any]:
    """Promise a call, to me, to another user, or to anyone (`user_id` null)."""
    actor = current_actor()
    promise = actions.Promise(**{"user_id": actor.user_id, **given})
    with tenant_session(tenant_id()) as db:
        return _render(db, actions.create(db, actor, promise, now=utc_now()))


@blueprint.patch("/<int:callback_id>")
@requires("customers.write")
@blueprint.arguments(CallbackChangesSchema)
@blueprint.response(200, CallbackSchema)
def reschedule_callback(given: dict[str, Any], callback_id: int) -> dict[str, Any]:
    """Move it to another time, person or note."""
    with tenant_session(tenant_id()) as db:
        return _render(db, actions.reschedule(db, current_actor(), callback_id, given, now=utc_now()))


@blueprint.post("/<int:callback_id>/done")
@requires("customers.write")
@blueprint.response(200, CallbackSchema)
def finish_callback(callback_id: int) -> dict[str, Any]:
    """The promise was kept."""
    with tenant_session(tenant_id()) as db:
        return _render(db, actions.close(db, current_actor(), callback_id, actions.CallbackState.DONE))


@blueprint.post("/<int:callback_id>/cancel")
@requires("customers.write")
@blueprint.response(200, CallbackSchema)
def cancel_callback(callback_id: int) -> dict[str, Any]:
    """The promise is dropped."""
    with tenant_session(tenant_id()) as db:
        return _render(db, actions.close(db, current_actor(), callback_id, actions.CallbackState.CANCELLED))
