"""Schemas of the agent's phone, states and calls."""

from __future__ import annotations

from marshmallow import Schema, fields, validate


class PhoneOfferSchema(Schema):
    sdp = fields.String(required=True, validate=validate.Length(1, 100_000))


class PhoneAnswerSchema(Schema):
    sdp = fields.String(required=True)


class AgentStateSchema(Schema):
    state = fields.String(required=True, validate=validate.OneOf(("available", "paused", "offline")))
    reason = fields.String(load_default="", validate=validate.Length(max=40))


class AgentPauseAfterSchema(Schema):
    on = fields.Boolean(required=True)
    reason = fields.String(load_default="", validate=validate.Length(max=40))


class AgentHoldSchema(Schema):
    on = fields.Boolean(required=True)


class AgentDtmfSchema(Schema):
    digits = fields.String(required=True, validate=validate.Regexp(r"^[0-9*#]{1,40}$", error="Use 0–9, * and #."))


class AgentDispositionSchema(Schema):
    call_id = fields.String(required=True, validate=validate.Length(1, 40))
    disposition_id = fields.Integer(required=True, strict=True)
    note = fields.String(load_default="", validate=validate.Length(max=4000))
    callback_at = fields.Float(load_default=None, allow_none=True, metadata={"description": "Seconds since the epoch"})
    callback_mine = fields.Boolean(load_default=True)
    next_state = fields.String(load_default="available", validate=validate.OneOf(("available", "paused")))


class AgentCustomerSchema(Schema):
    customer_id = fields.Integer(required=True, strict=True)


class AgentPreviewSchema(Schema):
    dial = fields.Boolean(required=True)


class AgentDoneSchema(Schema):
    result = fields.Raw(required=True, allow_none=True, metadata={"description": "The engine's answer"})
