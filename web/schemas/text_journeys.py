"""Schemas of one text's way."""

from __future__ import annotations

from marshmallow import Schema, fields

from web.schemas.texts import TextMessageSchema


class TextJourneyPartSchema(Schema):
    """A part that the carrier took, and what its receipt said. `code`: the carrier's."""

    part = fields.Integer(required=True, strict=True)
    state = fields.String(required=True)
    code = fields.String(required=True)
    final_at = fields.DateTime(required=True, allow_none=True)


class TextJourneyEventSchema(Schema):
    """What was out of the ordinary. `event`: lost (the connection died before the answer; `again`: it was sent again),
    failover (another route took it), late_receipt (`status`, `code`), doubt_refunded, read."""

    at = fields.DateTime(required=True)
    event = fields.String(required=True)
    again = fields.Boolean()
    status = fields.String()
    code = fields.String()


class TextJourneySchema(TextMessageSchema):
    """A text and its way. `reserved`: its price is set aside and not charged yet."""

    route_name = fields.String(required=True)
    reserved = fields.Boolean(required=True)
    parts = fields.List(fields.Nested(TextJourneyPartSchema), required=True)
    events = fields.List(fields.Nested(TextJourneyEventSchema), required=True)
