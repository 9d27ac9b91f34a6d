"""Schemas of imports."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from crm.importing.plan import DELIMITERS, ENCODINGS, RULES
from web.http import PageQuery, page_of


class ColumnSchema(Schema):
    column = fields.Integer(required=True, strict=True, validate=validate.Range(0, 1000))
    to = fields.String(required=True, validate=validate.Length(1, 60))


class DuplicatesSchema(Schema):
    """What to do with numbers that are there already. keep: a lead of its own; skip: rejected; update: merged."""

    file = fields.String(load_default="skip", validate=validate.OneOf(RULES["file"]))
    list = fields.String(load_default="skip", validate=validate.OneOf(RULES["list"]))
    enterprise = fields.String(load_default="keep", validate=validate.OneOf(RULES["enterprise"]))


class ImportSettingsSchema(Schema):
    """What is left out is found in the file (previews only)."""

    encoding = fields.String(validate=validate.OneOf(ENCODINGS))
    delimiter = fields.String(validate=validate.OneOf(DELIMITERS))
    sheet = fields.String(validate=validate.Length(max=100))
    header = fields.Boolean()
    country = fields.String(validate=validate.Length(2, 2))
    mapping = fields.List(fields.Nested(ColumnSchema), validate=validate.Length(max=500))
    duplicates = fields.Nested(DuplicatesSchema)
    scrub_blacklist = fields.Boolean()


class PreviewQuery(Schema):
    locale = fields.String(load_default="en", validate=validate.OneOf(["en", "zh-CN"]))


class DetectedSchema(Schema):
    encoding = fields.String(required=True)
    delimiter = fields.String(required=True)


class VerdictSchema(Schema):
    """A sample row. `column`: the cell that is wrong; `text`: why, in the asked language; `phone`: E.164."""

    row = fields.Integer(required=True, strict=True)
    cells = fields.List(fields.String(), required=True)
    ok = fields.Boolean(required=True)
    empty = fields.Boolean(required=True)
    column = fields.Integer(required=True, allow_none=True)
    text = fields.String(required=True)
    phone = fields.String(required=True)


class PreviewSchema(Schema):
    kind = fields.String(required=True, metadata={"description": "text or workbook"})
    detected = fields.Nested(DetectedSchema, required=True)
    sheets = fields.List(fields.String(), required=True)
    settings = fields.Nested(ImportSettingsSchema, required=True)
    columns = fields.List(fields.String(), required=True, metadata={"description": "the header's cells"})
    rows = fields.List(fields.Nested(VerdictSchema), required=True)


class ImportErrorSchema(Schema):
    code = fields.String(required=True)
    message = fields.String(required=True)


class ImportSchema(Schema):
    """An import; while it runs, follow the live topic `import:{id}`."""

    id = fields.String(required=True)
    list_id = fields.Integer(required=True, allow_none=True)
    list_name = fields.String(required=True)
    file_name = fields.String(required=True)
    size_bytes = fields.Integer(required=True, strict=True)
    state = fields.String(required=True)
    settings = fields.Nested(
        ImportSettingsSchema, required=True, metadata={"description": "as they were last looked at, or started with"}
    )
    counts = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    error = fields.Nested(ImportErrorSchema, required=True, allow_none=True)
    rejected_file = fields.Boolean(required=True)
    created_at = fields.DateTime(required=True)
    started_at = fields.DateTime(required=True, allow_none=True)
    finished_at = fields.DateTime(required=True, allow_none=True)


class UploadQuery(Schema):
    list_id = fields.Integer(required=True)
    file_name = fields.String(required=True, validate=validate.Length(1, 255))


class ImportQuery(PageQuery):
    list_id = fields.Integer()
    state = fields.String(metadata={"description": "one or several, with commas"})


ImportPageSchema = page_of(ImportSchema)
