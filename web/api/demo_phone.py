"""The telephones of the demo's subscribers: what the demo carrier delivered to them, and what they answer.

For the demo's enterprise only; everywhere else there is nothing here.
"""

from __future__ import annotations

from typing import Any, cast

from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate
from sqlalchemy import select

from callcenter import wire
from callcenter.clock import to_utc
from callcenter.db.session import tenant_session
from callcenter.errors import NotFound
from callcenter.events import streams
from smsgateway.carriers.demo import ANSWERS, KEPT, TEXTS
from smsgateway.models import TextPart
from web.http import PageQuery, identity, page_of, requires, tenant_id

blueprint = Blueprint("demo_phone", __name__, url_prefix="/api/demo-phone", description="The demo's telephones")
MAX_BODY = 1000


class DemoTextSchema(Schema):
    """A text on a demo telephone."""

    id = fields.String(required=True)
    phone = fields.String(required=True)
    sender = fields.String(required=True)
    subject = fields.String(required=True)
    body = fields.String(required=True)
    media = fields.List(fields.String(), required=True)
    at = fields.DateTime(required=True)


DemoTextPage = page_of(DemoTextSchema)


class DemoAnswerSchema(Schema):
    phone = fields.String(required=True, validate=validate.Regexp(r"\+\d{5,15}\Z"))
    to = fields.String(required=True, validate=validate.Length(1, 40))
    body = fields.String(required=True, validate=validate.Length(1, MAX_BODY))


def _demo_only() -> None:
    if not identity().enterprise.is_demo:
        raise NotFound("There are telephones in the demo only.")


@blueprint.get("")
@requires("texts.read")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, DemoTextPage)
def list_texts(args: dict[str, Any]) -> dict[str, Any]:
    """What was delivered to demo telephones, the newest first."""
    _demo_only()
    raws = cast("list[Any]", streams.client().lrange(TEXTS, 0, KEPT - 1))
    delivered = [wire.from_json(raw, dict[str, Any]) for raw in raws]
    with tenant_session(tenant_id()) as db:  # the demo carrier may serve other enterprises too
        own = set(db.scalars(select(TextPart.ref).where(TextPart.ref.in_([d["id"] for d in delivered]))))
    shown = [{**d, "phone": d["to"], "sender": d["from"], "at": to_utc(d["at"])} for d in delivered if d["id"] in own]
    begin = (args["page"] - 1) * args["per_page"]
    return {
        "items": shown[begin : begin + args["per_page"]],
        "total": len(shown),
        "page": args["page"],
        "per_page": args["per_page"],
    }


@blueprint.post("/answers")
@requires("texts.read")
@blueprint.arguments(DemoAnswerSchema)
@blueprint.response(204)
def post_answer(given: dict[str, str]) -> None:
    """Answer as the subscriber. It comes in as any text does; nothing of ours is changed here."""
    _demo_only()
    answer = {"from": given["phone"], "to": given["to"], "body": given["body"]}
    streams.client().rpush(ANSWERS, wire.to_json(answer))
