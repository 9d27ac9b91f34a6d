"""Schemas of transfers, conferences, parked calls, recordings by hand, and of the agent's telephone."""

from __future__ import annotations

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from web.http import PageQuery, page_of
from web.masking import PhoneField

KINDS = ("agent", "queue", "menu", "voicemail", "number")


class AgentTransferSchema(Schema):
    """`id` of an agent, queue or menu (for voicemail a user's, or none for the enterprise's box); `number` as typed."""

    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    id = fields.Integer(strict=True, load_default=None, allow_none=True)
    number = fields.String(load_default="", validate=validate.Length(max=40))
    attended = fields.Boolean(load_default=False)

    @validates_schema
    def _whom(self, data: dict[str, object], **_: object) -> None:
        if data["kind"] == "number" and not data["number"]:
            raise ValidationError("Give a number.", "number")
        if data["kind"] in ("agent", "queue", "menu") and data["id"] is None:
            raise ValidationError("Choose whom to transfer to.", "id")


class AgentPartySchema(Schema):
    party_key = fields.String(required=True, validate=validate.Length(1, 80))


class AgentSlotSchema(Schema):
    slot = fields.String(required=True, validate=validate.Regexp(r"^[0-9]{1,5}$", error="A slot is a number."))


class AgentVoicemailDropSchema(Schema):
    prompt_id = fields.Integer(required=True, strict=True)


class AgentRecordSchema(Schema):
    action = fields.String(required=True, validate=validate.OneOf(("start", "pause", "resume")))


class TransferTargetQuery(PageQuery):
    q = fields.String(load_default="", validate=validate.Length(max=80))


class TransferTargetSchema(Schema):
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    id = fields.Integer(required=True, allow_none=True)
    number = fields.String(required=True)
    name = fields.String(required=True)
    state = fields.String(required=True, metadata={"description": "An agent's state; empty for the others"})


TransferTargetPageSchema = page_of(TransferTargetSchema)


class ParkedCallSchema(Schema):
    slot = fields.String(required=True)
    call_id = fields.String(required=True)
    phone_e164 = PhoneField(required=True)
    name = fields.String(required=True)
    since = fields.Float(required=True, metadata={"description": "Seconds since the epoch"})
    by_user = fields.Integer(required=True, allow_none=True)
    queue_id = fields.Integer(required=True, allow_none=True)


ParkedCallPageSchema = page_of(ParkedCallSchema)


class PhoneDeviceSchema(Schema):
    """`kind` browser, number or sip; `number` as typed, kept when another is chosen."""

    kind = fields.String(required=True, validate=validate.OneOf(("browser", "number", "sip")))
    number = fields.String(load_default="", validate=validate.Length(max=40))


class PhoneDeviceStateSchema(Schema):
    kind = fields.String(required=True)
    number = fields.String(required=True)
    allowed = fields.Boolean(required=True, metadata={"description": "Whether a telephone may be chosen"})
    sip = fields.Boolean(required=True, metadata={"description": "Whether there is a SIP phone to choose"})
