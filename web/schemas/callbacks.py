"""Schemas of call-backs."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from web.http import PageQuery, page_of

STATES = ("open", "done", "cancelled")


class CallbackChangesSchema(Schema):
    due_at = fields.AwareDateTime(metadata={"description": "when to call, with its offset"})
    user_id = fields.Integer(strict=True, allow_none=True, metadata={"description": "null: anyone"})
    note = fields.String(validate=validate.Length(max=2000))


class NewCallbackSchema(CallbackChangesSchema):
    due_at = fields.AwareDateTime(required=True)
    lead_id = fields.Integer(strict=True)
    customer_id = fields.Integer(strict=True)
    campaign_id = fields.Integer(strict=True)


class CallbackSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    due_at = fields.DateTime(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    overdue = fields.Boolean(required=True)
    note = fields.String(required=True)
    user_id = fields.Integer(required=True, allow_none=True)
    user_name = fields.String(required=True)
    lead_id = fields.Integer(required=True, allow_none=True)
    customer_id = fields.Integer(required=True, allow_none=True)
    campaign_id = fields.Integer(required=True, allow_none=True)
    name = fields.String(required=True, metadata={"description": "of the customer or lead"})
    phone = fields.String(required=True, metadata={"description": "masked where the role asks for it"})
    created_at = fields.DateTime(required=True)


class CallbackQuery(PageQuery):
    whose = fields.String(
        load_default="mine",
        validate=validate.OneOf(["mine", "all"]),
        metadata={"description": "mine: mine and anyone's; all: all that I may see"},
    )
    due = fields.String(
        validate=validate.OneOf(["due", "overdue", "today"]),
        metadata={"description": "due: from now back; overdue: over 15 minutes late; today: by the end of the day"},
    )
    state = fields.String(load_default="open", validate=validate.OneOf(STATES))


CallbackPageSchema = page_of(CallbackSchema)
