"""Schemas of click to call."""

from __future__ import annotations

from marshmallow import Schema, ValidationError, fields, validate, validates_schema


class DialSchema(Schema):
    """Whom to call: `number` as typed, or the first number of a lead, customer or contact of the address book; `number`
    beside one of them chooses among its numbers (`phone_index` where numbers are masked)."""

    number = fields.String(validate=validate.Length(3, 40))
    lead_id = fields.Integer(strict=True)
    customer_id = fields.Integer(strict=True)
    contact_id = fields.Integer(strict=True)
    phone_index = fields.Integer(strict=True, validate=validate.Range(0, 100))
    campaign_id = fields.Integer(strict=True)

    @validates_schema
    def _someone(self, data: dict[str, object], **_: object) -> None:
        if not {"number", "lead_id", "customer_id", "contact_id"} & data.keys():
            raise ValidationError("Give a number.", "number")


class DialedSchema(Schema):
    call_id = fields.String(required=True)
