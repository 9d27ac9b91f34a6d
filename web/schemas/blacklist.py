"""Schemas of the blacklist."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from web.http import PageQuery, page_of


class BlacklistEntrySchema(Schema):
    id = fields.Integer(required=True, strict=True)
    phone = fields.String(required=True, metadata={"description": "masked where the role asks for it"})
    reason = fields.String(required=True)
    source = fields.String(required=True, metadata={"description": "manual, import, disposition, opt_out"})
    enabled = fields.Boolean(required=True)
    created_at = fields.DateTime(required=True)


class BlacklistQuery(PageQuery):
    search = fields.String(load_default="", validate=validate.Length(max=40))
    enabled = fields.Boolean()
    source = fields.String(validate=validate.OneOf(["manual", "import", "disposition", "opt_out"]))


class NewEntriesSchema(Schema):
    numbers = fields.List(
        fields.String(validate=validate.Length(max=60)), required=True, validate=validate.Length(1, 20_000)
    )
    reason = fields.String(load_default="", validate=validate.Length(max=200))


class NumberFileQuery(Schema):
    """Of an upload of numbers. `locale`: the language of the file of rejected rows."""

    file_name = fields.String(load_default="", validate=validate.Length(max=255))
    locale = fields.String(load_default="en", validate=validate.OneOf(["en", "zh-CN"]))


class UploadEntriesQuery(NumberFileQuery):
    reason = fields.String(load_default="", validate=validate.Length(max=200))


class WrongNumberSchema(Schema):
    text = fields.String(required=True)
    reason = fields.String(required=True)


class AddedSchema(Schema):
    added = fields.Integer(required=True, strict=True)
    already = fields.Integer(required=True, strict=True)
    rejected = fields.Integer(required=True, strict=True)
    wrong = fields.List(fields.Nested(WrongNumberSchema), required=True)


class WrongRowSchema(WrongNumberSchema):
    line = fields.Integer(required=True, strict=True, metadata={"description": "row of the file, from 1"})


class NumberFileSchema(Schema):
    """What became of the numbers of a file. `rejected_id`: of the file of rejected rows; empty if there are none."""

    added = fields.Integer(required=True, strict=True)
    already = fields.Integer(required=True, strict=True)
    duplicates = fields.Integer(required=True, strict=True, metadata={"description": "more than once in the file"})
    rejected = fields.Integer(required=True, strict=True)
    wrong = fields.List(fields.Nested(WrongRowSchema), required=True, metadata={"description": "the first fifty"})
    rejected_id = fields.String(required=True)


class IdsSchema(Schema):
    ids = fields.List(fields.Integer(strict=True), required=True, validate=validate.Length(1, 1000))


class EnableSchema(IdsSchema):
    enabled = fields.Boolean(required=True)


BlacklistPageSchema = page_of(BlacklistEntrySchema)
