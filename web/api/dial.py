"""Click to call: the agent's phone calls a number, a lead or a customer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask_smorest import Blueprint

from callcenter.calls.commands import Dial
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.errors import Forbidden
from callcenter.events import streams
from crm.queries.dialing import callee
from web.http import current_actor, requires, tenant_id
from web.schemas.dial import DialedSchema, DialSchema

blueprint = Blueprint("dial", __name__, url_prefix="/api/dial", description="Click to call")


@blueprint.post("")
@requires("calls.dial")
@blueprint.arguments(DialSchema)
@blueprint.response(200, DialedSchema)
def dial(given: dict[str, Any]) -> Any:
    """Call somebody from the agent's phone. The engine judges window, blacklist and tries, and answers why not."""
    actor = current_actor()
    if actor.user_id is None:
        raise Forbidden("Only a user can dial.")
    with tenant_session(tenant_id()) as db:
        found = callee(db, actor, now=utc_now(), **given)
    return streams.send(tenant_id(), Dial(user_id=actor.user_id, **asdict(found)))
