"""Where payment providers tell us what was paid. Open to anybody, believed by signature only."""

from __future__ import annotations

from flask import Response, request
from flask_smorest import Blueprint

from callcenter.clock import utc_now
from callcenter.errors import NotFound
from smsgateway.payments import settings
from smsgateway.payments.callbacks import receive
from smsgateway.payments.provider import Callback
from smsgateway.payments.registry import providers
from web.app import csrf
from web.http import public

blueprint = Blueprint("payments", __name__, url_prefix="/api/payments", description="Callbacks of payment providers")
_MOST_BYTES = 512 * 1024


@blueprint.post("/<provider>")
@public
@csrf.exempt
@blueprint.response(200, content_type="text/plain")
def post_callback(provider: str) -> Response:
    """A provider's message. The answer is what its documents ask for."""
    request.max_content_length = _MOST_BYTES
    known = providers(settings.load()).get(provider)
    if known is None:
        raise NotFound("There is no such provider here.")
    headers = {name.lower(): value for name, value in request.headers.items()}
    reply = receive(known, Callback(headers, request.get_data(cache=False, parse_form_data=False)), utc_now())
    return Response(reply.body, reply.status, content_type=reply.content_type)
