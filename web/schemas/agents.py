"""Schemas of agents: the floor, their day."""

from __future__ import annotations

from marshmallow import Schema, fields


class BoardSchema(Schema):
    """`agents`: the newest `AgentView` of each (see callcenter/acd/views.py), offline where there is none."""

    agents = fields.List(fields.Dict(), required=True)


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
