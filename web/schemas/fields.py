"""Schemas of custom fields."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from crm.fields import Kind
from web.http import PageQuery, page_of


class FieldChangesSchema(Schema):
    label = fields.String(validate=validate.Length(1, 60))
    required = fields.Boolean()
    max_length = fields.Integer(strict=True, allow_none=True)
    format = fields.String(
        validate=validate.Length(max=200), metadata={"description": "a regular expression, or empty"}
    )
    choices = fields.List(fields.String(validate=validate.Length(1, 100)), validate=validate.Length(max=200))
    position = fields.Integer(strict=True, validate=validate.Range(0, 1000))


class NewFieldSchema(FieldChangesSchema):
    key = fields.String(validate=validate.Length(1, 40), metadata={"description": "made if left out"})
    label = fields.String(required=True, validate=validate.Length(1, 60))
    kind = fields.String(required=True, validate=validate.OneOf([k.value for k in Kind]))


class FieldSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    key = fields.String(required=True)
    label = fields.String(required=True)
    kind = fields.String(required=True)
    required = fields.Boolean(required=True)
    max_length = fields.Integer(required=True, allow_none=True)
    format = fields.String(required=True)
    choices = fields.List(fields.String(), required=True)
    position = fields.Integer(required=True, strict=True)


class FieldQuery(PageQuery):
    pass


FieldPageSchema = page_of(FieldSchema)
