"""Schemas of follow-up notes."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from web.http import PageQuery, page_of


class NewFollowUpSchema(Schema):
    text = fields.String(required=True, validate=[validate.Length(1, 5000), validate.Regexp(r"(?s).*\S")])


class FollowUpSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    text = fields.String(required=True)
    user_id = fields.Integer(required=True, allow_none=True)
    user_name = fields.String(required=True)
    call_id = fields.String(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)


class FollowUpQuery(PageQuery):
    pass


FollowUpPageSchema = page_of(FollowUpSchema)
