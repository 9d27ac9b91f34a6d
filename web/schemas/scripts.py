"""Schemas of scripts."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from web.http import page_of


class BranchSchema(Schema):
    label = fields.String(required=True, validate=validate.Length(1, 80))
    to = fields.String(required=True, metadata={"description": "id of a step; empty: the end"})


class StepSchema(Schema):
    id = fields.String(required=True, validate=validate.Regexp(r"^[A-Za-z0-9_-]{1,40}$"))
    title = fields.String(required=True, validate=validate.Length(1, 80))
    text = fields.String(required=True, validate=validate.Length(0, 5000))
    branches = fields.List(fields.Nested(BranchSchema), load_default=list, validate=validate.Length(max=12))


class ObjectionSchema(Schema):
    title = fields.String(required=True, validate=validate.Length(1, 120))
    text = fields.String(required=True, validate=validate.Length(1, 5000))


class ScriptChangesSchema(Schema):
    name = fields.String(validate=validate.Length(1, 80))
    steps = fields.List(fields.Nested(StepSchema), validate=validate.Length(max=200))
    objections = fields.List(fields.Nested(ObjectionSchema), validate=validate.Length(max=100))


class NewScriptSchema(ScriptChangesSchema):
    name = fields.String(required=True, validate=validate.Length(1, 80))


class ScriptSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    steps = fields.List(fields.Nested(StepSchema), required=True)
    objections = fields.List(fields.Nested(ObjectionSchema), required=True)
    updated_at = fields.DateTime(required=True)


ScriptPageSchema = page_of(ScriptSchema)
