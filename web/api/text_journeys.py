"""One text of a send, with its way."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter.db.session import tenant_session
from smsgateway.sending import queries
from smsgateway.sending.journey import journey
from web.http import current_actor, requires, tenant_id
from web.schemas.text_journeys import TextJourneySchema

blueprint = Blueprint("text_journeys", __name__, url_prefix="/api/texts", description="One text and its way")


@blueprint.get("/<int:send_id>/messages/<int:message_id>")
@requires("texts.read")
@blueprint.response(200, TextJourneySchema)
def get_message(send_id: int, message_id: int) -> dict[str, Any]:
    """A text: checks, route, parts, receipts, what was charged."""
    with tenant_session(tenant_id()) as db:
        return journey(db, queries.find(db, current_actor(), send_id), message_id)
