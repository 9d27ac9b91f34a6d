"""Schemas of lists."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from crm.models import LeadStatus
from web.http import PageQuery, page_of

STATUSES = tuple(s.value for s in LeadStatus)


class ListChangesSchema(Schema):
    name = fields.String(validate=validate.Length(1, 100))
    country = fields.String(validate=validate.Length(2, 2), metadata={"description": "ISO 3166 alpha-2"})
    enabled = fields.Boolean()
    expires_at = fields.AwareDateTime(allow_none=True, metadata={"description": "not dialed from then on"})


class NewListSchema(ListChangesSchema):
    name = fields.String(required=True, validate=validate.Length(1, 100))
    country = fields.String(required=True, validate=validate.Length(2, 2))


class ListSchema(Schema):
    """`penetration`: the share of leads that are finished, 0 to 1. `left` may still be dialed, `tried` had a try."""

    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    country = fields.String(required=True)
    enabled = fields.Boolean(required=True)
    expires_at = fields.DateTime(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    campaign_id = fields.Integer(required=True, allow_none=True)
    campaign_name = fields.String(required=True)
    total = fields.Integer(required=True, strict=True)
    left = fields.Integer(required=True, strict=True)
    tried = fields.Integer(required=True, strict=True)
    penetration = fields.Float(required=True)
    by_status = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class ListQuery(PageQuery):
    search = fields.String(load_default="", validate=validate.Length(max=100))
    enabled = fields.Boolean()


class AssignSchema(Schema):
    campaign_id = fields.Integer(strict=True, required=True, allow_none=True)


class ResetSchema(Schema):
    statuses = fields.List(fields.String(validate=validate.OneOf(STATUSES)), required=True, validate=validate.Length(1))


class CountSchema(Schema):
    count = fields.Integer(required=True, strict=True)


ListPageSchema = page_of(ListSchema)
