"""Schemas of calling rules. Times of day in the callee's local time; 0 means no limit."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from web.http import page_of

_TIME = validate.Regexp(r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$", error="Give a time like 09:00.")


class WindowSchema(Schema):
    days = fields.List(fields.Integer(strict=True, validate=validate.Range(1, 7)), required=True,
                       validate=validate.Length(1, 7), metadata={"description": "1 = Monday"})  # fmt: skip
    from_ = fields.String(required=True, data_key="from", attribute="from", validate=_TIME)
    to = fields.String(required=True, validate=_TIME)


class RuleSetChangesSchema(Schema):
    name = fields.String(validate=validate.Length(1, 80))
    country = fields.String(validate=validate.Regexp(r"^[A-Z]{2}$"))
    is_default = fields.Boolean()
    windows = fields.List(fields.Nested(WindowSchema), validate=validate.Length(max=50))
    holidays = fields.List(
        fields.String(validate=validate.Regexp(r"^\d{4}-\d{2}-\d{2}$")), validate=validate.Length(max=400)
    )
    attempts_24h = fields.Integer(strict=True, validate=validate.Range(0, 100))
    attempts_30d = fields.Integer(strict=True, validate=validate.Range(0, 1000))
    abandoned_lockout_h = fields.Integer(strict=True, validate=validate.Range(0, 24 * 30))
    min_ring_s = fields.Integer(strict=True, validate=validate.Range(0, 60))
    text_windows = fields.List(fields.Nested(WindowSchema), validate=validate.Length(max=50),
                               metadata={"description": "hours of marketing texts; none: at any hour"})  # fmt: skip
    texts_24h = fields.Integer(strict=True, validate=validate.Range(0, 100))
    texts_30d = fields.Integer(strict=True, validate=validate.Range(0, 1000))


class NewRuleSetSchema(RuleSetChangesSchema):
    name = fields.String(required=True, validate=validate.Length(1, 80))


class RuleSetSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    country = fields.String(required=True)
    is_default = fields.Boolean(required=True)
    windows = fields.List(fields.Nested(WindowSchema), required=True)
    holidays = fields.List(fields.String(), required=True)
    attempts_24h = fields.Integer(required=True, strict=True)
    attempts_30d = fields.Integer(required=True, strict=True)
    abandoned_lockout_h = fields.Integer(required=True, strict=True)
    min_ring_s = fields.Integer(required=True, strict=True)
    text_windows = fields.List(fields.Nested(WindowSchema), required=True)
    texts_24h = fields.Integer(required=True, strict=True)
    texts_30d = fields.Integer(required=True, strict=True)


RuleSetPageSchema = page_of(RuleSetSchema)
