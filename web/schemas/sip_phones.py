"""Schemas of SIP phones. A password is in the answer that made it, and never again."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from web.http import PageQuery, page_of


class SipPhoneQuery(PageQuery):
    search = fields.String(load_default="", validate=validate.Length(max=80))


class NewSipPhoneSchema(Schema):
    user_id = fields.Integer(required=True, strict=True)


class SipPhoneChangesSchema(Schema):
    enabled = fields.Boolean(required=True)


class SipServerSchema(Schema):
    """Where phones register: SIP over UDP."""

    host = fields.String(required=True)
    port = fields.Integer(required=True, strict=True)


class SipPhoneStateSchema(Schema):
    """`answers`: whether it answered when it was last asked, null before; `since` seconds since the epoch."""

    registered = fields.Boolean(required=True)
    device = fields.String(required=True, metadata={"description": "What the phone calls itself (User-Agent)"})
    address = fields.String(required=True)
    since = fields.Float(required=True, allow_none=True)
    answers = fields.Boolean(required=True, allow_none=True)


class SipPhoneSchema(SipPhoneStateSchema):
    id = fields.Integer(required=True, strict=True)
    user_id = fields.Integer(required=True, strict=True)
    user_name = fields.String(required=True)
    username = fields.String(required=True)
    enabled = fields.Boolean(required=True)
    created_at = fields.AwareDateTime(required=True)


class SipPhoneMadeSchema(Schema):
    phone = fields.Nested(SipPhoneSchema, required=True)
    password = fields.String(required=True)
    server = fields.Nested(SipServerSchema, required=True, allow_none=True)


class OneSipPhoneSchema(Schema):
    phone = fields.Nested(SipPhoneSchema, required=True)
    server = fields.Nested(SipServerSchema, required=True, allow_none=True)


class OwnSipPhoneSchema(Schema):
    """One's own phone; `phone` null: none was made."""

    phone = fields.Nested(SipPhoneSchema, required=True, allow_none=True)
    server = fields.Nested(SipServerSchema, required=True, allow_none=True)


SipPhonePageSchema = page_of(SipPhoneSchema)
