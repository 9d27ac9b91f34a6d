"""Schemas of dispositions."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from web.http import PageQuery, page_of


class DispositionChangesSchema(Schema):
    campaign_id = fields.Integer(strict=True, allow_none=True)
    name = fields.String(validate=validate.Length(1, 40))
    name_zh = fields.String(validate=validate.Length(1, 40))
    enabled = fields.Boolean()
    hot_key = fields.Integer(strict=True, allow_none=True, validate=validate.Range(1, 9))
    position = fields.Integer(strict=True, validate=validate.Range(0, 1000))
    human = fields.Boolean()
    contact = fields.Boolean()
    sale = fields.Boolean()
    not_interested = fields.Boolean()
    do_not_call = fields.Boolean()
    callback = fields.Boolean()
    wrong_number = fields.Boolean()
    final = fields.Boolean()
    retry_after_s = fields.Integer(strict=True, allow_none=True, validate=validate.Range(60, 90 * 86400))
    max_tries = fields.Integer(strict=True, validate=validate.Range(1, 50))


class NewDispositionSchema(DispositionChangesSchema):
    name = fields.String(required=True, validate=validate.Length(1, 40))
    name_zh = fields.String(required=True, validate=validate.Length(1, 40))


class DispositionSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    campaign_id = fields.Integer(required=True, allow_none=True)
    code = fields.String(required=True)
    name = fields.String(required=True)
    name_zh = fields.String(required=True)
    built_in = fields.Boolean(required=True)
    system = fields.Boolean(required=True, metadata={"description": "stored for agents, chosen by none"})
    enabled = fields.Boolean(required=True)
    hot_key = fields.Integer(required=True, allow_none=True)
    position = fields.Integer(required=True, strict=True)
    human = fields.Boolean(required=True)
    contact = fields.Boolean(required=True)
    sale = fields.Boolean(required=True)
    not_interested = fields.Boolean(required=True)
    do_not_call = fields.Boolean(required=True)
    callback = fields.Boolean(required=True)
    wrong_number = fields.Boolean(required=True)
    final = fields.Boolean(required=True)
    retry_after_s = fields.Integer(required=True, allow_none=True)
    max_tries = fields.Integer(required=True, strict=True)


class DispositionQuery(PageQuery):
    campaign_id = fields.Integer(metadata={"description": "those that an agent of this campaign can set"})
    enabled = fields.Boolean()
    system = fields.Boolean(metadata={"description": "only those that are stored for agents, or only the others"})


DispositionPageSchema = page_of(DispositionSchema)
