"""Schemas of the audit log."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from web.http import PageQuery, page_of


class AuditEntrySchema(Schema):
    id = fields.Integer(required=True, strict=True)
    at = fields.AwareDateTime(required=True)
    actor_id = fields.Integer(required=True, strict=True, allow_none=True)
    actor_name = fields.String(required=True)
    action = fields.String(required=True)
    entity = fields.String(required=True)
    entity_id = fields.String(required=True)
    entity_name = fields.String(required=True)
    before = fields.Dict(required=True, allow_none=True)
    after = fields.Dict(required=True, allow_none=True)
    ip = fields.String(required=True)


AuditPageSchema = page_of(AuditEntrySchema)


class AuditQuerySchema(PageQuery):
    actor_id = fields.Integer(load_default=None)
    action = fields.String(load_default="", validate=validate.Length(max=60))
    entity = fields.String(load_default="", validate=validate.Length(max=60))
    entity_id = fields.String(load_default="", validate=validate.Length(max=60))
    search = fields.String(load_default="", validate=validate.Length(max=100))
    from_ = fields.Date(
        load_default=None, data_key="from", metadata={"description": "First day, in the enterprise's time zone"}
    )
    to = fields.Date(load_default=None, metadata={"description": "Last day, in the enterprise's time zone"})


class AuditChoicesSchema(Schema):
    """What the filters offer: everything that stands in the log."""

    actions = fields.List(fields.String(), required=True)
    entities = fields.List(fields.String(), required=True)
