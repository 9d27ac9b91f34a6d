"""Schemas of customers, their cards and their history."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from web.http import PageQuery, page_of
from web.schemas.calls import CallDispositionSchema


class CustomerChangesSchema(Schema):
    name = fields.String(validate=validate.Length(max=200))
    company = fields.String(validate=validate.Length(max=200))
    grade = fields.String(validate=validate.OneOf(["", "A", "B", "C", "D", "E"]))
    vip = fields.Boolean()
    region = fields.String(validate=validate.Length(max=100))
    tags = fields.List(fields.String(validate=validate.Length(1, 40)), validate=validate.Length(max=50))
    source = fields.String(validate=validate.Length(max=60))
    owner_id = fields.Integer(strict=True, allow_none=True)
    phones = fields.List(fields.String(validate=validate.Length(1, 40)), validate=validate.Length(max=20))
    fields_ = fields.Dict(
        keys=fields.String(), values=fields.Raw(allow_none=True), data_key="fields", attribute="fields"
    )


class NewCustomerSchema(CustomerChangesSchema):
    phones = fields.List(fields.String(validate=validate.Length(1, 40)), required=True, validate=validate.Length(1, 20))


class CustomerSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    company = fields.String(required=True)
    phones = fields.List(fields.String(), required=True)
    grade = fields.String(required=True)
    vip = fields.Boolean(required=True)
    region = fields.String(required=True)
    tags = fields.List(fields.String(), required=True)
    owner_id = fields.Integer(required=True, allow_none=True)
    owner_name = fields.String(required=True)
    source = fields.String(required=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class CustomerQuery(PageQuery):
    search = fields.String(load_default="", validate=validate.Length(max=100))


CustomerPageSchema = page_of(CustomerSchema)


class CardQuery(Schema):
    """One of the three; `phone` as E.164."""

    customer_id = fields.Integer()
    lead_id = fields.Integer()
    phone = fields.String(validate=validate.Length(3, 20))


class HistoryQuery(PageQuery, CardQuery):
    pass


class OfLeadSchema(Schema):
    lead_id = fields.Integer(strict=True, required=True)


class CardPhoneSchema(Schema):
    number = fields.String(required=True)
    blacklisted = fields.Boolean(required=True)


class CardFieldSchema(Schema):
    key = fields.String(required=True)
    label = fields.String(required=True)
    kind = fields.String(required=True)
    required = fields.Boolean(required=True)
    max_length = fields.Integer(required=True, allow_none=True)
    format = fields.String(required=True)
    choices = fields.List(fields.String(), required=True)


class CardLeadSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    list_id = fields.Integer(required=True, strict=True)
    list_name = fields.String(required=True)
    campaign_id = fields.Integer(required=True, allow_none=True)
    campaign_name = fields.String(required=True)
    script_id = fields.Integer(required=True, allow_none=True)
    status = fields.String(required=True)
    attempts = fields.Integer(required=True, strict=True)
    last_attempt_at = fields.DateTime(required=True, allow_none=True)
    last_outcome = fields.String(required=True)
    next_at = fields.DateTime(required=True, allow_none=True)
    time_zone = fields.String(required=True)
    priority = fields.Integer(required=True, strict=True)


class CardMatchSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    company = fields.String(required=True)


class CardCallbackSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    due_at = fields.DateTime(required=True)
    note = fields.String(required=True)
    state = fields.String(required=True)
    user_id = fields.Integer(required=True, allow_none=True)
    user_name = fields.String(required=True)


class CardSchema(Schema):
    """A person: a customer, a lead that is no customer yet (`customer_id` null), or both."""

    customer_id = fields.Integer(required=True, allow_none=True)
    lead_id = fields.Integer(required=True, allow_none=True)
    name = fields.String(required=True)
    company = fields.String(required=True)
    grade = fields.String(required=True)
    vip = fields.Boolean(required=True)
    region = fields.String(required=True)
    tags = fields.List(fields.String(), required=True)
    source = fields.String(required=True)
    owner_id = fields.Integer(required=True, allow_none=True)
    owner_name = fields.String(required=True)
    phones = fields.List(fields.Nested(CardPhoneSchema), required=True)
    fields_ = fields.Dict(required=True, data_key="fields", attribute="fields")
    field_defs = fields.List(fields.Nested(CardFieldSchema), required=True)
    leads = fields.List(fields.Nested(CardLeadSchema), required=True)
    matches = fields.List(fields.Nested(CardMatchSchema), required=True)
    callbacks = fields.List(fields.Nested(CardCallbackSchema), required=True)
    writable = fields.Boolean(required=True)
    created_at = fields.DateTime(required=True, allow_none=True)


class HistoryRecordingSchema(Schema):
    id = fields.String(required=True)
    state = fields.String(required=True)
    seconds = fields.Float(required=True, allow_none=True)


class HistoryCallSchema(Schema):
    direction = fields.String(required=True)
    phone = fields.String(required=True)
    outcome = fields.String(required=True)
    agent_name = fields.String(required=True)
    campaign_name = fields.String(required=True)
    talk_s = fields.Float(required=True, allow_none=True)
    disposition = fields.Nested(CallDispositionSchema, required=True, allow_none=True)
    note = fields.String(required=True)
    recordings = fields.List(fields.Nested(HistoryRecordingSchema), required=True)


class HistoryFollowUpSchema(Schema):
    text = fields.String(required=True)
    user_name = fields.String(required=True)
    call_id = fields.String(required=True, allow_none=True)


class HistoryEntrySchema(Schema):
    """What happened with a person: exactly the part named by `kind` is set."""

    kind = fields.String(required=True, validate=validate.OneOf(["call", "follow_up", "callback"]))
    id = fields.String(required=True)
    at = fields.DateTime(required=True)
    call = fields.Nested(HistoryCallSchema, required=True, allow_none=True)
    callback = fields.Nested(CardCallbackSchema, required=True, allow_none=True)
    follow_up = fields.Nested(HistoryFollowUpSchema, required=True, allow_none=True)


HistoryPageSchema = page_of(HistoryEntrySchema)
