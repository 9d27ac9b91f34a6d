"""Schemas of agents: the floor, their day."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from dialer.queries.agents import Period


class BoardSchema(Schema):
    """`agents`: the newest `AgentView` of each (see callcenter/acd/views.py), offline where there is none."""

    agents = fields.List(fields.Dict(), required=True)


class StandingSchema(Schema):
    """One agent's figures. `place`: by sales, then connected calls, among the `of` who had a call."""

    since = fields.DateTime(required=True)
    calls = fields.Integer(required=True, strict=True)
    connected = fields.Integer(required=True, strict=True)
    talk_s = fields.Float(required=True)
    average_talk_s = fields.Float(required=True, allow_none=True)
    sales = fields.Integer(required=True, strict=True)
    place = fields.Integer(required=True, allow_none=True)
    of = fields.Integer(required=True, strict=True)


class MyDaySchema(StandingSchema):
    states = fields.Dict(keys=fields.String(), values=fields.Float(), required=True)


class RankedSchema(Schema):
    place = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    own = fields.Boolean(required=True)
    calls = fields.Integer(required=True, strict=True)
    connected = fields.Integer(required=True, strict=True)
    talk_s = fields.Float(required=True)
    sales = fields.Integer(required=True, strict=True)


class RankingSchema(StandingSchema):
    """`rows`: the best, and the own row after them where it is not among them; none if `names` is off."""

    period = fields.String(required=True)
    names = fields.Boolean(required=True)
    rows = fields.List(fields.Nested(RankedSchema), required=True)


class RankingQuery(Schema):
    period = fields.String(load_default=Period.TODAY.value, validate=validate.OneOf(list(Period)))


class RankingSettingsSchema(Schema):
    """`names`: whether agents see their colleagues' names and figures; off, only their own place."""

    names = fields.Boolean(required=True)


class DeskSchema(Schema):
    """What the desk needs at its start: the newest `AgentView`, today's figures, the pause reasons."""

    view = fields.Dict(required=True)
    day = fields.Nested(MyDaySchema, required=True)
    pause_reasons = fields.List(fields.String(), required=True)
