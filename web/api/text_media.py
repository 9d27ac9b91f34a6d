"""Pictures and sounds for MMS."""

from __future__ import annotations

from typing import Any

from flask import Response, send_file
from flask_smorest import Blueprint

from smsgateway.sending import media
from web.http import current_actor, off_loop, requires, tenant_id
from web.schemas.text_desk import MediaQuery
from web.schemas.texts import TextMediaSchema
from web.uploads import store

blueprint = Blueprint("text_media", __name__, url_prefix="/api/text-media", description="Pictures for MMS")


@blueprint.post("")
@requires("texts.send")
@blueprint.arguments(MediaQuery, location="query")
@blueprint.response(201, TextMediaSchema)
def upload_media(args: dict[str, Any]) -> media.Media:
    """Upload a picture (JPEG, PNG, GIF, WebP): the body of the request is its content (application/octet-stream)."""
    media_id = media.new_id()
    store(media.upload_path(tenant_id(), media_id), media.MAX_BYTES)
    return media.register(current_actor(), media_id, args["name"], off_loop)


@blueprint.get("/<media_id>")
@requires("texts.read")
@blueprint.response(200, content_type="image/jpeg")
def get_media(media_id: str) -> Response:
    """Its content."""
    found = media.find(tenant_id(), media_id)
    answer = send_file(media.path_of(found), mimetype=found.type, download_name=found.name)
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
