"""Schemas of what stands around sends: approvals, templates, recurring sends, uploads for MMS."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from smsgateway.texts import Kind, Purpose
from web.http import PageQuery, page_of
from web.masking import BodyField, PhoneField
from web.schemas.texts import KIND, PURPOSE, TextHitSchema, TextMediaSchema, TextSendSchema


class ApprovalSampleSchema(Schema):
    """A text that waits. `rule`: sender (whose texts need approval) or words (`hits`)."""

    phone = PhoneField(required=True)
    body = BodyField(required=True)
    segments = fields.Integer(required=True, strict=True)
    rule = fields.String(required=True)
    hits = fields.List(fields.Nested(TextHitSchema), required=True)


class TextApprovalSchema(Schema):
    """A send with texts that wait for a person. `cost_minor`: what these would cost by today's routes. `own`: asked for
    by this user, who may decide on it only as the owner (`decidable`)."""

    send = fields.Nested(TextSendSchema, required=True)
    waiting = fields.Integer(required=True, strict=True)
    by_rule = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    words = fields.List(fields.String(), required=True)
    cost_minor = fields.Integer(required=True, strict=True)
    segments = fields.Integer(required=True, strict=True)
    samples = fields.List(fields.Nested(ApprovalSampleSchema), required=True)
    own = fields.Boolean(required=True)
    decidable = fields.Boolean(required=True)


TextApprovalPageSchema = page_of(TextApprovalSchema)


class TextPassSchema(Schema):
    reason = fields.String(load_default="", validate=validate.Length(max=500))


class TextRejectSchema(Schema):
    reason = fields.String(required=True, validate=validate.Length(1, 500))


class TextTemplateChangesSchema(Schema):
    name = fields.String(validate=validate.Length(1, 80))
    kind = fields.String(validate=KIND)
    purpose = fields.String(validate=PURPOSE)
    subject = fields.String(validate=validate.Length(max=200))
    body = fields.String()
    media = fields.List(fields.String(validate=validate.Length(1, 40)), validate=validate.Length(max=10))
    enabled = fields.Boolean()
    at_desk = fields.Boolean(metadata={"description": "offered to agents during a call"})


class NewTextTemplateSchema(TextTemplateChangesSchema):
    name = fields.String(required=True, validate=validate.Length(1, 80))
    kind = fields.String(load_default=Kind.SMS.value, validate=KIND)
    purpose = fields.String(load_default=Purpose.MARKETING.value, validate=PURPOSE)
    body = fields.String(required=True)


class TextTemplateSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    kind = fields.String(required=True, validate=KIND)
    purpose = fields.String(required=True, validate=PURPOSE)
    subject = fields.String(required=True)
    body = fields.String(required=True)
    media = fields.List(fields.Nested(TextMediaSchema), required=True)
    enabled = fields.Boolean(required=True)
    at_desk = fields.Boolean(required=True)
    created_by_name = fields.String(required=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


TextTemplatePageSchema = page_of(TextTemplateSchema)


class TextTemplateQuery(PageQuery):
    search = fields.String(load_default="", validate=validate.Length(max=100))
    kind = fields.String(validate=KIND)
    enabled = fields.Boolean()
    at_desk = fields.Boolean()


class TemplateTestSchema(Schema):
    """`phone`: as written; none: the sender's own number. `values`: placeholder → what is filled in."""

    phone = fields.String(load_default="", validate=validate.Length(max=40))
    values = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)


OCCASION = validate.OneOf(["birthday", "renewal"])
_AT = validate.Regexp(r"^([01]\d|2[0-3]):[0-5]\d$", error="Give a time like 09:30.")


class TextRuleChangesSchema(Schema):
    name = fields.String(validate=validate.Length(1, 80))
    enabled = fields.Boolean()
    occasion = fields.String(validate=OCCASION)
    template_id = fields.Integer(strict=True)
    groups = fields.List(
        fields.Integer(strict=True),
        validate=validate.Length(max=500),
        metadata={"description": "of a birthday: whose contacts; none: all"},
    )
    lists = fields.List(
        fields.Integer(strict=True),
        validate=validate.Length(max=100),
        metadata={"description": "of a renewal: whose leads"},
    )
    field = fields.String(validate=validate.Length(max=60), metadata={"description": "of a renewal: the date field"})
    days_before = fields.Integer(strict=True, validate=validate.Range(0, 366))
    at = fields.String(validate=_AT, metadata={"description": "by the recipient's clock"})


class NewTextRuleSchema(TextRuleChangesSchema):
    name = fields.String(required=True, validate=validate.Length(1, 80))
    occasion = fields.String(required=True, validate=OCCASION)
    template_id = fields.Integer(required=True, strict=True)


class TextRuleSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    enabled = fields.Boolean(required=True)
    occasion = fields.String(required=True, validate=OCCASION)
    template_id = fields.Integer(required=True, strict=True)
    template_name = fields.String(required=True)
    groups = fields.List(fields.Integer(), required=True)
    lists = fields.List(fields.Integer(), required=True)
    field = fields.String(required=True)
    days_before = fields.Integer(required=True, strict=True)
    at = fields.String(required=True)
    sender_id = fields.Integer(required=True, allow_none=True)
    sender_name = fields.String(required=True)
    last_day = fields.Date(required=True, allow_none=True)
    last_send_id = fields.Integer(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)


TextRulePageSchema = page_of(TextRuleSchema)


class TextRuleQuery(PageQuery):
    enabled = fields.Boolean()


class MediaQuery(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 255))
