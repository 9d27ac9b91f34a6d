"""Conversations: texts that came in, and those that went to the same numbers."""

from __future__ import annotations

from typing import Any

from flask import Response, send_file
from flask_smorest import Blueprint

from callcenter import config
from callcenter.db.session import tenant_session
from callcenter.errors import Forbidden, NotFound
from crm.queries.card import UNMASKED
from crm.queries.card import find as find_person
from smsgateway.inbound import conversations
from smsgateway.inbound.models import InboundText
from smsgateway.sending.actions import ask_in
from smsgateway.sending.new import NewSend
from smsgateway.sending.signing import signature_of
from smsgateway.texts import Purpose, Source
from web.http import PageQuery, current_actor, paged, requires, tenant_id
from web.schemas.conversations import (
    ConversationAnsweredSchema,
    ConversationAnswerSchema,
    ConversationChangesSchema,
    ConversationCountsSchema,
    ConversationDetailSchema,
    ConversationPageSchema,
    ConversationQuery,
    ConversationTextPageSchema,
    PersonTextsQuery,
)

blueprint = Blueprint("conversations", __name__, url_prefix="/api/conversations", description="Texts that came in")


def _one(db: Any, conversation_id: int) -> dict[str, Any]:
    out = conversations.one(db, current_actor(), conversation_id)
    conversations.with_last(db, [out])
    return out


@blueprint.get("")
@requires("texts.read")
@blueprint.arguments(ConversationQuery, location="query")
@blueprint.response(200, ConversationPageSchema)
def list_conversations(args: dict[str, Any]) -> dict[str, Any]:
    """Conversations, those with something unread first, then the newest. The search finds names and numbers."""
    chosen = {n: args[n] for n in ("whose", "unread", "search")}
    with tenant_session(tenant_id()) as db:
        page = paged(db, conversations.found(db, current_actor(), **chosen), args, conversations.rendered)
        conversations.with_last(db, page["items"])
        return page


@blueprint.get("/counts")
@requires("texts.read")
@blueprint.response(200, ConversationCountsSchema)
def count_conversations() -> dict[str, int]:
    """How many have something unread: mine, nobody's, all that I see."""
    with tenant_session(tenant_id()) as db:
        return conversations.counts(db, current_actor())


@blueprint.get("/texts")
@requires("texts.read", "customers.read")
@blueprint.arguments(PersonTextsQuery, location="query")
@blueprint.response(200, ConversationTextPageSchema)
def list_texts_of_person(args: dict[str, Any]) -> dict[str, Any]:
    """All texts with a customer, or with a number: both ways, the newest first. Who sees the card, sees them; of a
    number that nobody knows, those of the conversation that the user sees."""
    actor = current_actor()
    with tenant_session(tenant_id()) as db:
        if "customer_id" in args:
            phones, only = find_person(db, actor, customer_id=args["customer_id"]).phones, None
        elif UNMASKED not in actor.permissions:
            raise Forbidden("Your roles do not show numbers: ask by customer.")
        else:
            phones = [args["phone"]]
            try:
                find_person(db, actor, phone_e164=args["phone"])
                only = None
            except NotFound:
                only = conversations.seen(db, actor)
        return paged(db, conversations.texts(phones, only), args, conversations.line)


@blueprint.get("/<int:conversation_id>")
@requires("texts.read")
@blueprint.response(200, ConversationDetailSchema)
def get_conversation(conversation_id: int) -> dict[str, Any]:
    """One conversation, with the opt-out of its number."""
    with tenant_session(tenant_id()) as db:
        return _one(db, conversation_id)


@blueprint.get("/<int:conversation_id>/texts")
@requires("texts.read")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, ConversationTextPageSchema)
def list_conversation_texts(args: dict[str, Any], conversation_id: int) -> dict[str, Any]:
    """Its texts, both ways, the newest first."""
    with tenant_session(tenant_id()) as db:
        row = conversations.find(db, current_actor(), conversation_id)
        return paged(db, conversations.texts([row.phone_e164]), args, conversations.line)


@blueprint.patch("/<int:conversation_id>")
@requires("texts.read")
@blueprint.arguments(ConversationChangesSchema)
@blueprint.response(200, ConversationDetailSchema)
def patch_conversation(given: dict[str, Any], conversation_id: int) -> dict[str, Any]:
    """Give it to somebody, or mark it read or unread."""
    with tenant_session(tenant_id()) as db:
        conversations.change(db, current_actor(), conversation_id, given)
        return _one(db, conversation_id)


@blueprint.post("/<int:conversation_id>/take")
@requires("texts.read")
@blueprint.response(200, ConversationDetailSchema)
def take_conversation(conversation_id: int) -> dict[str, Any]:
    """Make one of nobody mine."""
    with tenant_session(tenant_id()) as db:
        conversations.take(db, current_actor(), conversation_id)
        return _one(db, conversation_id)


@blueprint.post("/<int:conversation_id>/answer")
@requires("texts.read", "texts.send")
@blueprint.arguments(ConversationAnswerSchema)
@blueprint.response(201, ConversationAnsweredSchema)
def post_answer(given: dict[str, Any], conversation_id: int) -> dict[str, Any]:
    """Answer by a service text, which passes all checks. The conversation becomes mine, and read."""
    actor = current_actor()
    with tenant_session(tenant_id()) as db:
        row = conversations.find(db, actor, conversation_id, lock=True)
        new = NewSend(
            body=given["body"], audience={"numbers": [row.phone_e164]}, purpose=Purpose.SERVICE.value,
            source=Source.PAGE, signature=signature_of(db, actor.tenant_id),
        )  # fmt: skip
        send = ask_in(db, actor, new, f"conversation:{row.id}:{given['key']}" if given["key"] else "")
        conversations.answered(db, actor, row)
        return {**_one(db, conversation_id), "send_id": send.id}


@blueprint.get("/<int:conversation_id>/texts/<int:text_id>/media/<int:number>")
@requires("texts.read")
@blueprint.response(200)
def get_media(conversation_id: int, text_id: int, number: int) -> Response:
    """An attachment of a text that came in, from 0. Always a download: nobody knows what strangers send."""
    with tenant_session(tenant_id()) as db:
        row = conversations.find(db, current_actor(), conversation_id)
        text = db.get(InboundText, text_id)
        if text is None or text.phone_e164 != row.phone_e164 or number >= len(text.media):
            raise NotFound("There is no such attachment.")
        attachment = dict(text.media[number])
    var = config.load().var.resolve()
    path = (var / str(attachment.get("path", ""))).resolve()
    if not path.is_relative_to(var) or not path.is_file():
        raise NotFound("This attachment is not there any more.")
    answer = send_file(path, mimetype="application/octet-stream", as_attachment=True, download_name=attachment["name"])
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
