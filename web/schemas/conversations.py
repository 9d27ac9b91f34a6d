"""Schemas of conversations."""

from __future__ import annotations

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from smsgateway.inbound.conversations import WHOSE
from web.http import PageQuery, page_of
from web.masking import PhoneField


class ConversationQuery(PageQuery):
    whose = fields.String(load_default="all", validate=validate.OneOf(WHOSE))
    unread = fields.Boolean(load_default=False)
    search = fields.String(load_default="", validate=validate.Length(max=100))


class ConversationOptOutSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    source = fields.String(required=True, metadata={"description": "keyword, manual, import, api"})
    keyword = fields.String(required=True)
    note = fields.String(required=True)
    by_name = fields.String(required=True)
    at = fields.DateTime(required=True)


class ConversationSchema(Schema):
    """All texts with one number. `last_*`: its newest text, `last_out` if that went out, with its state."""

    id = fields.Integer(required=True, strict=True)
    phone = PhoneField(required=True)
    customer_id = fields.Integer(required=True, allow_none=True)
    contact_id = fields.Integer(required=True, allow_none=True)
    name = fields.String(required=True)
    assigned_to = fields.Integer(required=True, allow_none=True)
    assigned_name = fields.String(required=True)
    unread = fields.Integer(required=True, strict=True)
    opted_out = fields.Boolean(required=True)
    last_at = fields.DateTime(required=True)
    last_body = fields.String(required=True)
    last_out = fields.Boolean(required=True)
    state = fields.String(required=True)


class ConversationDetailSchema(ConversationSchema):
    opt_out = fields.Nested(ConversationOptOutSchema, required=True, allow_none=True)


class ConversationAnsweredSchema(ConversationDetailSchema):
    """`send_id`: the send that carries the answer; follow `send:{id}` until its text is there."""

    send_id = fields.Integer(required=True, strict=True)


class ConversationCountsSchema(Schema):
    """Conversations with something unread."""

    mine = fields.Integer(required=True, strict=True)
    nobody = fields.Integer(required=True, strict=True)
    all = fields.Integer(required=True, strict=True)


class ConversationMediaSchema(Schema):
    name = fields.String(required=True)
    type = fields.String(required=True)


class ConversationTextSchema(Schema):
    """A text of a conversation. `did`, of one that came: what it set off. The rest as with `TextMessage`."""

    way = fields.String(required=True, validate=validate.OneOf(["in", "out"]))
    id = fields.Integer(required=True, strict=True)
    at = fields.DateTime(required=True)
    phone = PhoneField(required=True)
    body = fields.String(required=True)
    subject = fields.String(required=True)
    state = fields.String(required=True)
    send_id = fields.Integer(required=True, allow_none=True)
    source = fields.String(required=True)
    purpose = fields.String(required=True)
    kind = fields.String(required=True)
    user_name = fields.String(required=True)
    check = fields.String(required=True)
    rule = fields.String(required=True)
    params = fields.Dict(required=True)
    error_code = fields.String(required=True)
    error = fields.String(required=True)
    doubt = fields.Boolean(required=True)
    did = fields.String(required=True, metadata={"description": "opt_out, opt_in, answer, limited or empty"})
    keyword = fields.String(required=True)
    media = fields.List(fields.Nested(ConversationMediaSchema), required=True)


ConversationPageSchema = page_of(ConversationSchema)
ConversationTextPageSchema = page_of(ConversationTextSchema)


class PersonTextsQuery(PageQuery):
    customer_id = fields.Integer()
    phone = fields.String(validate=validate.Length(1, 40), metadata={"description": "E.164"})

    @validates_schema
    def _one(self, data: dict[str, object], **_: object) -> None:
        if ("customer_id" in data) == ("phone" in data):
            raise ValidationError("Give a customer or a number.", "customer_id")


class ConversationChangesSchema(Schema):
    assigned_to = fields.Integer(strict=True, allow_none=True, metadata={"description": "null: nobody"})
    read = fields.Boolean()


class ConversationAnswerSchema(Schema):
    body = fields.String(required=True, validate=validate.Length(min=1, max=10_000))
    key = fields.String(
        load_default="", validate=validate.Length(max=60), metadata={"description": "makes a repeated request the same"}
    )
