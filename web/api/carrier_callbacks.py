"""What carriers post to us: receipts and texts of HTTP carriers, reports and messages of MMSCs.

Open to whoever knows the carrier's callback token. What is told is stored before it is acknowledged.
"""

from __future__ import annotations

import hmac
import logging
from typing import Any

from flask import Response, request
from flask_smorest import Blueprint

from callcenter import config
from callcenter.clock import wall_s
from callcenter.db.session import platform_session
from callcenter.errors import NotFound
from smsgateway.carriers import callbacks, http, http_words, mm7, mm7_soap, registry
from smsgateway.carriers import settings as declared
from smsgateway.carriers.models import TextCarrier
from web.app import csrf
from web.http import public

log = logging.getLogger(__name__)
blueprint = Blueprint(
    "carrier_callbacks", __name__, url_prefix="/api/carrier-callbacks", description="What carriers tell by themselves"
)
MAX_BYTES = 8 * 1024 * 1024


def _carrier(carrier_id: int, protocol: str, token: str) -> tuple[TextCarrier, dict[str, Any]]:
    with platform_session() as db:
        row = db.get(TextCarrier, carrier_id)
    known = "" if row is None else str(row.settings.get("callback_token") or "")
    if row is None or row.protocol != protocol or not known or not hmac.compare_digest(known.encode(), token.encode()):
        raise NotFound("There is no such carrier.")
    return row, declared.whole(registry.settings_of(protocol), row.settings)


def _document() -> http_words.Document:
    request.max_content_length = MAX_BYTES
    raw = request.get_data(cache=False, parse_form_data=False)
    return http_words.read(raw, request.content_type or "", request.query_string.decode("latin-1"))


def _said(settings: dict[str, Any]) -> Response:
    return Response(settings["callback_answer"], 200, content_type="text/plain; charset=utf-8")


@blueprint.route("/<int:carrier_id>/<token>/receipts", methods=["GET", "POST"])
@public
@csrf.exempt
@blueprint.response(200, content_type="text/plain")
def take_receipts(carrier_id: int, token: str) -> Response:
    """Receipts of an HTTP carrier."""
    carrier, settings = _carrier(carrier_id, "http", token)
    found = http.receipts(settings, _document(), wall_s())
    if not found:
        log.warning("carrier %s: a callback without a receipt", carrier.name)
    callbacks.take_receipts(carrier, found)
    return _said(settings)


@blueprint.route("/<int:carrier_id>/<token>/texts", methods=["GET", "POST"])
@public
@csrf.exempt
@blueprint.response(200, content_type="text/plain")
def take_texts(carrier_id: int, token: str) -> Response:
    """Texts that came in over an HTTP carrier."""
    carrier, settings = _carrier(carrier_id, "http", token)
    found = http.replies(settings, _document(), wall_s())
    if not found:
        log.warning("carrier %s: a callback without a text", carrier.name)
    callbacks.take_texts(carrier, found)
    return _said(settings)


@blueprint.post("/<int:carrier_id>/<token>/mm7")
@public
@csrf.exempt
@blueprint.response(200, content_type="text/xml")
def take_mm7(carrier_id: int, token: str) -> Response:
    """What an MMSC tells: a delivery report, a read report, a message."""
    carrier, _ = _carrier(carrier_id, "mm7", token)
    request.max_content_length = MAX_BYTES
    raw = request.get_data(cache=False, parse_form_data=False)
    try:
        told = mm7_soap.incoming(raw, request.content_type or "")
    except mm7_soap.Malformed as error:
        log.warning("carrier %s: %s", carrier.name, error)
        return Response(f"This is no MM7 message: {error}.", 400, content_type="text/plain; charset=utf-8")
    if told.kind == "DeliverReq":
        folder = config.load().var / "mms-in" / str(carrier.id)
        callbacks.take_texts(carrier, [mm7.reply(told, folder, wall_s())])
    else:
        found = mm7.receipt(told, wall_s())
        callbacks.take_receipts(carrier, [found] if found else [])
    return Response(mm7_soap.response(told), 200, content_type="text/xml; charset=utf-8")
