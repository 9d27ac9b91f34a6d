"""Schemas of opt-outs."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from smsgateway.optouts.actions import Source
from web.http import PageQuery, page_of
from web.schemas.blacklist import AddedSchema, IdsSchema, NumberFileQuery, NumberFileSchema

__all__ = ["AddedSchema", "IdsSchema", "NumberFileSchema"]

_SOURCES = [s.value for s in Source]


class OptOutSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    phone = fields.String(required=True, metadata={"description": "masked where the role asks for it"})
    source = fields.String(required=True, validate=validate.OneOf(_SOURCES))
    keyword = fields.String(required=True)
    note = fields.String(required=True)
    created_at = fields.DateTime(required=True)
    created_by = fields.String(required=True, allow_none=True, metadata={"description": "name of the user"})
    ended_at = fields.DateTime(required=True, allow_none=True)


class OptOutsQuery(PageQuery):
    search = fields.String(load_default="", validate=validate.Length(max=40))
    source = fields.String(load_default="", validate=validate.OneOf(["", *_SOURCES]))
    ended = fields.Boolean()


class NewOptOutsSchema(Schema):
    numbers = fields.List(
        fields.String(validate=validate.Length(max=60)), required=True, validate=validate.Length(1, 20_000)
    )
    note = fields.String(load_default="", validate=validate.Length(max=200))


class UploadOptOutsQuery(NumberFileQuery):
    note = fields.String(load_default="", validate=validate.Length(max=200))


OptOutPageSchema = page_of(OptOutSchema)
