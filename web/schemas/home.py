"""Schemas of the home page."""

from __future__ import annotations

from marshmallow import Schema, fields


class StartStepSchema(Schema):
    key = fields.String(required=True)
    done = fields.Boolean(required=True)


class HomeSchema(Schema):
    valid_until = fields.Date(required=True, allow_none=True)
    days_left = fields.Integer(
        required=True, strict=True, allow_none=True, metadata={"description": "Below 0: the account has ended"}
    )
    steps = fields.List(fields.Nested(StartStepSchema), required=True)
    callbacks_due = fields.Integer(
        required=True, strict=True, allow_none=True, metadata={"description": "The user's own, due until tonight"}
    )
