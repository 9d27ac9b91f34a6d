"""Schemas of agents: their states, their calls, their day."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from dialer.queries.agents import PAUSE_REASONS

_REASON = validate.OneOf(["", *PAUSE_REASONS])


class BoardSchema(Schema):
    """`agents`: the newest `AgentView` of each (see callcenter/acd/views.py), offline where there is none."""

    agents = fields.List(fields.Dict(), required=True)


class SetStateSchema(Schema):
    state = fields.String(required=True, validate=validate.OneOf(["available", "paused", "offline"]))
    reason = fields.String(load_default="", validate=_REASON)


class PauseAfterSchema(Schema):
    on = fields.Boolean(required=True)
    reason = fields.String(load_default="", validate=_REASON)


class HoldSchema(Schema):
    on = fields.Boolean(required=True)


class DtmfSchema(Schema):
    digits = fields.String(required=True, validate=validate.Regexp(r"^[0-9*#]{1,32}$"))


class PreviewSchema(Schema):
    dial = fields.Boolean(required=True)


class SetDispositionSchema(Schema):
    call_id = fields.String(required=True, validate=validate.Length(1, 64))
    disposition_id = fields.Integer(required=True, strict=True)
    note = fields.String(load_default="", validate=validate.Length(max=5000))
    callback_at = fields.AwareDateTime(load_default=None, allow_none=True)
    callback_mine = fields.Boolean(load_default=True)
    next_state = fields.String(load_default="available", validate=validate.OneOf(["available", "paused"]))


class MyDaySchema(Schema):
    since = fields.DateTime(required=True)
    calls = fields.Integer(required=True, strict=True)
    connected = fields.Integer(required=True, strict=True)
    talk_s = fields.Float(required=True)
    average_talk_s = fields.Float(required=True, allow_none=True)
    sales = fields.Integer(required=True, strict=True)
    place = fields.Integer(required=True, allow_none=True)
    of = fields.Integer(required=True, strict=True)
    states = fields.Dict(keys=fields.String(), values=fields.Float(), required=True)


class DeskSchema(Schema):
    """What the desk needs at its start: the newest `AgentView`, today's figures, the pause reasons."""

    view = fields.Dict(required=True)
    day = fields.Nested(MyDaySchema, required=True)
    pause_reasons = fields.List(fields.String(), required=True)


class AnswerSchema(Schema):
    """What the engine answered."""

    ok = fields.Raw(required=True, allow_none=True)
