"""Schemas of API tokens."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from callcenter.auth.tokens import NETWORKS
from web.http import PageQuery, page_of


class ApiTokenSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    prefix = fields.String(required=True, metadata={"description": "Its first letters, to tell tokens apart"})
    user_id = fields.Integer(required=True, strict=True)
    user_name = fields.String(required=True, metadata={"description": "For whom it acts"})
    own = fields.Boolean(required=True)
    permissions = fields.List(fields.String(), required=True)
    ip_allow = fields.List(fields.String(), required=True, metadata={"description": "CIDR; none: from anywhere"})
    state = fields.String(required=True, validate=validate.OneOf(("active", "expired", "revoked")))
    created_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True, allow_none=True)
    revoked_at = fields.AwareDateTime(required=True, allow_none=True)
    last_used_at = fields.AwareDateTime(required=True, allow_none=True, metadata={"description": "To the minute"})
    last_used_ip = fields.String(required=True)


ApiTokenPageSchema = page_of(ApiTokenSchema)


class ApiTokenQuerySchema(PageQuery):
    state = fields.String(load_default="all", validate=validate.OneOf(("all", "active", "ended")))
    search = fields.String(load_default="", validate=validate.Length(max=100))


class NewApiTokenSchema(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 80))
    permissions = fields.List(fields.String(), required=True, validate=validate.Length(max=500))
    ip_allow = fields.List(
        fields.String(validate=validate.Length(max=60)), load_default=list, validate=validate.Length(max=NETWORKS)
    )
    expires_at = fields.AwareDateTime(load_default=None, allow_none=True)


class MadeApiTokenSchema(ApiTokenSchema):
    token = fields.String(required=True, metadata={"description": "Never shown again"})
