"""Schemas of supervisors' commands."""

from __future__ import annotations

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

HOWS = ("listen", "whisper", "barge", "take_over", "stop")


class SuperviseSchema(Schema):
    how = fields.String(required=True, validate=validate.OneOf(HOWS))


class ForceStateSchema(Schema):
    """`hang_up` ends a call that is up; otherwise the state is entered after it."""

    state = fields.String(required=True, validate=validate.OneOf(("available", "paused", "offline")))
    reason = fields.String(load_default="supervisor", validate=validate.Length(max=40))
    hang_up = fields.Boolean(load_default=False)


class SupervisorMessageSchema(Schema):
    """To `user_ids`, or with `all` to every agent that the supervisor sees."""

    text = fields.String(required=True, validate=validate.Length(1, 1000))
    user_ids = fields.List(fields.Integer(strict=True), load_default=list, validate=validate.Length(max=500))
    all = fields.Boolean(load_default=False)

    @validates_schema
    def _whom(self, data: dict[str, object], **_: object) -> None:
        if not data["all"] and not data["user_ids"]:
            raise ValidationError("Choose whom to write to.", "user_ids")


class SupervisorMessageSentSchema(Schema):
    sent = fields.Integer(required=True, metadata={"description": "To how many agents"})


class SupervisionSettingsSchema(Schema):
    """`tell_agent`: whether agents see that a supervisor listens or whispers."""

    tell_agent = fields.Boolean(required=True)
