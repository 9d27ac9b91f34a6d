"""Schemas of calls."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from web.http import PageQuery, page_of


class CallRecordingSchema(Schema):
    id = fields.String(required=True)
    state = fields.String(required=True)
    seconds = fields.Float(required=True, allow_none=True)
    started_at = fields.DateTime(required=True)


class CallDispositionSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    name_zh = fields.String(required=True)
    sale = fields.Boolean(required=True)
    negative = fields.Boolean(required=True, metadata={"description": "Not interested, or never to be called again"})


class CallSchema(Schema):
    """A call. `phone` is masked for those who may not see numbers. `outcome` is empty while it lasts."""

    id = fields.String(required=True)
    direction = fields.String(required=True)
    mode = fields.String(required=True)
    phone = fields.String(required=True)
    name = fields.String(required=True)
    customer_id = fields.Integer(required=True, allow_none=True)
    lead_id = fields.Integer(required=True, allow_none=True)
    campaign_id = fields.Integer(required=True, allow_none=True)
    campaign_name = fields.String(required=True)
    queue_id = fields.Integer(required=True, allow_none=True)
    queue_name = fields.String(required=True)
    agent_id = fields.Integer(required=True, allow_none=True)
    agent_name = fields.String(required=True)
    trunk_name = fields.String(required=True)
    started_at = fields.DateTime(required=True)
    answered_at = fields.DateTime(required=True, allow_none=True)
    connected_at = fields.DateTime(required=True, allow_none=True)
    ended_at = fields.DateTime(required=True, allow_none=True)
    outcome = fields.String(required=True)
    cause = fields.String(required=True)
    hung_up_by = fields.String(required=True)
    wait_ms = fields.Integer(required=True, allow_none=True)
    talk_s = fields.Float(required=True, allow_none=True)
    hold_s = fields.Float(required=True)
    mos = fields.Float(required=True, allow_none=True)
    disposition = fields.Nested(CallDispositionSchema, required=True, allow_none=True)
    note = fields.String(required=True)
    recordings = fields.List(fields.Nested(CallRecordingSchema), required=True)


CallPageSchema = page_of(CallSchema)


class TimelineEntrySchema(Schema):
    type = fields.String(required=True)
    at = fields.DateTime(required=True)
    who = fields.String(required=True)
    state = fields.String(required=True)
    params = fields.Dict(required=True)


class PartySchema(Schema):
    """Somebody else in a call, or (`role` transfer) where it was given to."""

    role = fields.String(required=True)
    name = fields.String(required=True)
    number = fields.String(required=True)
    by = fields.String(required=True)
    called_at = fields.DateTime(required=True)
    answered_at = fields.DateTime(required=True, allow_none=True)
    left_at = fields.DateTime(required=True, allow_none=True)
    outcome = fields.String(required=True)


class TalkSchema(Schema):
    """An agent's part of the talk: `role` agent (the call was his) or guest."""

    name = fields.String(required=True)
    role = fields.String(required=True)
    began_at = fields.DateTime(required=True)
    talk_s = fields.Float(required=True)


class CallDetailSchema(CallSchema):
    """`quality`: by "customer" and "agent": loss (fraction), jitter_ms, round_trip_ms, mos (1–4.5), those known."""

    caller_id = fields.String(required=True)
    did = fields.String(required=True)
    queue_wait_s = fields.Float(required=True, allow_none=True)
    path = fields.List(fields.String(), required=True)
    shown = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    quality = fields.Dict(
        keys=fields.String(), values=fields.Dict(keys=fields.String(), values=fields.Float()), required=True
    )
    parties = fields.List(fields.Nested(PartySchema), required=True)
    talks = fields.List(fields.Nested(TalkSchema), required=True)
    ringing_at = fields.DateTime(required=True, allow_none=True)
    wrap_ended_at = fields.DateTime(required=True, allow_none=True)
    sip_status = fields.Integer(required=True, strict=True)
    timeline = fields.List(fields.Nested(TimelineEntrySchema), required=True)


class CallQuery(PageQuery):
    from_ = fields.AwareDateTime(data_key="from")
    to = fields.AwareDateTime(metadata={"description": "exclusive"})
    direction = fields.String(validate=validate.OneOf(("in", "out")))
    campaign_id = fields.Integer()
    queue_id = fields.Integer()
    agent_id = fields.Integer()
    outcome = fields.String(validate=validate.Length(1, 40))
    disposition_id = fields.Integer()
    customer_id = fields.Integer()
    lead_id = fields.Integer()
    connected = fields.Boolean()
    phone = fields.String(validate=validate.Length(1, 30))


class PeaksSchema(Schema):
    """Loudest sample of each slice, 0–1, by channel."""

    seconds = fields.Float(required=True)
    agent = fields.List(fields.Float(), required=True)
    customer = fields.List(fields.Float(), required=True)
