"""Schemas of reports of texts."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from smsgateway.purse.export import FORMATS
from smsgateway.reports.definitions import NAMES, STATES, Group
from smsgateway.reports.queries import MOST_D
from smsgateway.texts import Kind, Purpose, Source
from web.http import PageQuery, page_of
from web.masking import PhoneField


class TextReportQuery(Schema):
    """Which texts. Days are of the enterprise's zone and both included; without them it is the last 30 days."""

    from_ = fields.Date(data_key="from", attribute="from_")
    to = fields.Date()
    kind = fields.String(validate=validate.OneOf([k.value for k in Kind]))
    purpose = fields.String(validate=validate.OneOf([p.value for p in Purpose]))
    source = fields.String(validate=validate.OneOf([s.value for s in Source]))
    state = fields.String(metadata={"description": "one or several, with commas"})
    route_id = fields.Integer(metadata={"description": "0: of no route"})
    sender_id = fields.Integer(metadata={"description": "0: of nobody in person"})
    send_id = fields.Integer()
    campaign_id = fields.Integer(metadata={"description": "of the call during which it was sent; 0: of none"})
    customer_id = fields.Integer(metadata={"description": "to any of this customer's numbers"})
    reason = fields.String(validate=validate.Length(max=300), metadata={"description": "key of the group `reason`"})
    hour = fields.Integer(validate=validate.Range(0, 23))

    @validates_schema
    def _fits(self, data: dict[str, Any], **_: object) -> None:
        from_, to = data.get("from_"), data.get("to")
        if from_ and to and from_ > to:
            raise ValidationError("The last day is before the first.", "to")
        if from_ and to and (to - from_).days > MOST_D:
            raise ValidationError("Choose at most 400 days.", "to")
        if set(filter(None, data.get("state", "").split(","))) - set(STATES):
            raise ValidationError("There is no such state.", "state")


class TextReportGroupQuery(TextReportQuery, PageQuery):
    by = fields.String(required=True, validate=validate.OneOf([g.value for g in Group]))


class TextReportTextsQuery(TextReportQuery, PageQuery):
    pass


class TextReportExportQuery(TextReportQuery):
    by = fields.String(
        load_default="texts",
        validate=validate.OneOf(["texts", *(g.value for g in Group)]),
        metadata={"description": "texts: each text for itself"},
    )
    format = fields.String(load_default="csv", validate=validate.OneOf(FORMATS))


_FIGURES = {n: fields.Integer(required=True, strict=True) for n in (*NAMES, "waiting")}
_RATES = {
    f"{n}_rate": fields.Float(required=True, allow_none=True) for n in ("delivered", "failed", "opt_outs", "replies")
}
# The definitions are the one list of figures.
TextFiguresSchema: Any = Schema.from_dict({**_FIGURES, **_RATES}, name="TextFiguresSchema")


class TextDeliverySchema(Schema):
    """How long delivered texts took. `bars`: how many up to each of `ends_s`, and at last how many longer."""

    count = fields.Integer(required=True, strict=True)
    p50_s = fields.Float(required=True, allow_none=True)
    p90_s = fields.Float(required=True, allow_none=True)
    p99_s = fields.Float(required=True, allow_none=True)
    ends_s = fields.List(fields.Integer(), required=True)
    bars = fields.List(fields.Integer(), required=True)


class TextReportSummarySchema(Schema):
    from_ = fields.Date(required=True, data_key="from", attribute="from_")
    to = fields.Date(required=True)
    zone = fields.String(required=True)
    currency = fields.String(required=True)
    figures = fields.Nested(TextFiguresSchema, required=True)
    delivery = fields.Nested(TextDeliverySchema, required=True)


class TextReportGroupSchema(Schema):
    """`label` is empty where the key names itself, or what it named is gone."""

    key = fields.String(required=True)
    label = fields.String(required=True)
    figures = fields.Nested(TextFiguresSchema, required=True)


TextReportGroupPageSchema = page_of(TextReportGroupSchema)


class TextReportTextSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    send_id = fields.Integer(required=True, strict=True)
    phone = PhoneField(required=True)
    created_at = fields.DateTime(required=True)
    submitted_at = fields.DateTime(required=True, allow_none=True)
    final_at = fields.DateTime(required=True, allow_none=True)
    state = fields.String(required=True)
    check = fields.String(required=True)
    rule = fields.String(required=True)
    params = fields.Dict(required=True)
    error_code = fields.String(required=True)
    error = fields.String(required=True)
    segments = fields.Integer(required=True, strict=True)
    charged_minor = fields.Integer(required=True, strict=True)
    currency = fields.String(required=True)
    route_name = fields.String(required=True)
    user_name = fields.String(required=True)
    kind = fields.String(required=True)
    purpose = fields.String(required=True)
    source = fields.String(required=True)
    body = fields.String(required=True)
    doubt = fields.Boolean(required=True)


TextReportTextPageSchema = page_of(TextReportTextSchema)


class TextReportChoiceSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)


class TextReportChoicesSchema(Schema):
    """What can be chosen in filters."""

    routes = fields.List(fields.Nested(TextReportChoiceSchema), required=True)
    users = fields.List(fields.Nested(TextReportChoiceSchema), required=True)
    campaigns = fields.List(fields.Nested(TextReportChoiceSchema), required=True)
