"""Texts: ask for a send, preview it, follow it, cancel what has not gone."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_smorest import Blueprint

from callcenter import config
from callcenter.db.session import tenant_session
from callcenter.errors import InvalidInput
from smsgateway.sending import actions, cancel, files, options, preview, queries
from smsgateway.sending.new import MAX_KEY, NewSend
from smsgateway.texts import Source
from web.http import current_actor, off_loop, paged, requires, tenant_id
from web.schemas.texts import (
    NewTextSendSchema,
    PreviewTextSchema,
    RefusalsSchema,
    TextFileQuery,
    TextFileSchema,
    TextMessagePageSchema,
    TextMessageQuery,
    TextOptionsSchema,
    TextPreviewSchema,
    TextSendPageSchema,
    TextSendQuery,
    TextSendSchema,
)
from web.uploads import store

blueprint = Blueprint("texts", __name__, url_prefix="/api/texts", description="Texts: sends and their progress")


@blueprint.get("")
@requires("texts.read")
@blueprint.arguments(TextSendQuery, location="query")
@blueprint.response(200, TextSendPageSchema)
def list_sends(args: dict[str, Any]) -> dict[str, Any]:
    """Sends of the people whom the user may see, the newest first."""
    actor = current_actor()
    with tenant_session(tenant_id()) as db:
        page = paged(db, queries.sends(db, actor, args), args)
        page["items"] = queries.rendered(db, actor, page["items"])
        return page


@blueprint.post("")
@requires("texts.send")
@blueprint.arguments(NewTextSendSchema)
@blueprint.response(201, TextSendSchema)
def post_send(given: dict[str, Any]) -> dict[str, Any]:
    """Ask for a send. It is prepared at once; follow `send:{id}`. A repeated key answers with the first send."""
    key = given.pop("key") or request.headers.get("Idempotency-Key", "").strip()
    if len(key) > MAX_KEY:
        raise InvalidInput("Check the marked fields.", fields={"key": f"At most {MAX_KEY} characters."})
    source = Source(given.pop("source"))
    actor = current_actor()
    send = actions.ask(actor, NewSend(**given, source=source), key=f"api:{key}" if key else "")
    with tenant_session(tenant_id()) as db:
        return queries.one(db, actor, send.id)


@blueprint.get("/options")
@requires("texts.send")
@blueprint.response(200, TextOptionsSchema)
def get_options() -> dict[str, Any]:
    """Placeholders, limits, balances, prices at home: what a page for composing shows."""
    with tenant_session(tenant_id()) as db:
        return options.options(db, current_actor())


@blueprint.post("/preview")
@requires("texts.send")
@blueprint.arguments(PreviewTextSchema)
@blueprint.response(200, TextPreviewSchema)
def post_preview(given: dict[str, Any]) -> dict[str, Any]:
    """Who would be left out and why, what it would cost, how it would read. Nothing is sent."""
    return preview.preview(current_actor(), NewSend(**given, source=Source.PAGE))


@blueprint.post("/files")
@requires("texts.send")
@blueprint.arguments(TextFileQuery, location="query")
@blueprint.response(201, TextFileSchema)
def upload_recipients(args: dict[str, Any]) -> files.RecipientFile:
    """Upload recipients: the body of the request is the file (CSV, TSV, XLSX; application/octet-stream)."""
    file_id = files.new_id()
    target = config.load().var / files.stored_name(tenant_id(), file_id)
    store(target, files.MAX_BYTES)
    return files.register(current_actor(), file_id, args["file_name"], off_loop)


@blueprint.get("/<int:send_id>")
@requires("texts.read")
@blueprint.response(200, TextSendSchema)
def get_send(send_id: int) -> dict[str, Any]:
    """One send."""
    with tenant_session(tenant_id()) as db:
        return queries.one(db, current_actor(), send_id)


@blueprint.get("/<int:send_id>/messages")
@requires("texts.read")
@blueprint.arguments(TextMessageQuery, location="query")
@blueprint.response(200, TextMessagePageSchema)
def list_messages(args: dict[str, Any], send_id: int) -> dict[str, Any]:
    """The texts of a send."""
    with tenant_session(tenant_id()) as db:
        send = queries.find(db, current_actor(), send_id)
        return paged(db, queries.messages(send, args), args, lambda text: queries.message(text, send))


@blueprint.get("/<int:send_id>/refusals")
@requires("texts.read")
@blueprint.response(200, RefusalsSchema)
def get_refusals(send_id: int) -> dict[str, Any]:
    """How many texts of a send each rule has refused, holds or has cancelled."""
    with tenant_session(tenant_id()) as db:
        return {"counts": queries.refusals(db, queries.find(db, current_actor(), send_id))}


@blueprint.post("/<int:send_id>/cancel")
@requires("texts.send")
@blueprint.response(202, TextSendSchema)
def cancel_send(send_id: int) -> dict[str, Any]:
    """Cancel what has not gone; its price comes back. A large send takes some seconds."""
    cancel.cancel(current_actor(), send_id)
    with tenant_session(tenant_id()) as db:
        return queries.one(db, current_actor(), send_id)
