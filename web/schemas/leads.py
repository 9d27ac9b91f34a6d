"""Schemas of leads."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from web.http import PageQuery, page_of
from web.schemas.calls import CallDispositionSchema


class LeadChangesSchema(Schema):
    name = fields.String(validate=validate.Length(max=200))
    phones = fields.List(
        fields.String(validate=validate.Length(1, 40)),
        validate=validate.Length(1, 20),
        metadata={"description": "as typed; the first is dialed first"},
    )
    fields_ = fields.Dict(
        keys=fields.String(), values=fields.Raw(allow_none=True), data_key="fields", attribute="fields"
    )
    time_zone = fields.String(validate=validate.Length(max=60))
    priority = fields.Integer(strict=True, validate=validate.Range(-1000, 1000))
    owner_id = fields.Integer(strict=True, allow_none=True)


class NewLeadSchema(LeadChangesSchema):
    list_id = fields.Integer(strict=True, required=True)
    phones = fields.List(fields.String(validate=validate.Length(1, 40)), required=True, validate=validate.Length(1, 20))


class LeadSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    list_id = fields.Integer(required=True, strict=True)
    list_name = fields.String(required=True)
    customer_id = fields.Integer(required=True, allow_none=True)
    name = fields.String(required=True)
    phones = fields.List(fields.String(), required=True, metadata={"description": "masked where the role asks for it"})
    fields_ = fields.Dict(required=True, data_key="fields", attribute="fields")
    time_zone = fields.String(required=True)
    priority = fields.Integer(required=True, strict=True)
    owner_id = fields.Integer(required=True, allow_none=True)
    owner_name = fields.String(required=True)
    status = fields.String(required=True)
    attempts = fields.Integer(required=True, strict=True)
    last_attempt_at = fields.DateTime(required=True, allow_none=True)
    last_outcome = fields.String(required=True)
    disposition = fields.Nested(CallDispositionSchema, required=True, allow_none=True)
    next_at = fields.DateTime(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)


class LeadQuery(PageQuery):
    list_id = fields.Integer()
    status = fields.String(metadata={"description": "one or several, with commas"})
    search = fields.String(load_default="", validate=validate.Length(max=100))


LeadPageSchema = page_of(LeadSchema)
