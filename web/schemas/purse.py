"""Schemas of balances, deductions and statements."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from smsgateway.purse.export import FORMATS
from smsgateway.texts import Kind, Purpose
from web.http import PageQuery, page_of

KINDS = [k.value for k in Kind]
PURPOSES = [p.value for p in Purpose]
_FIRST = {"description": "First day, in the enterprise's time zone"}
_LAST = {"description": "Last day, in the enterprise's time zone"}


class DaysQuery(Schema):
    """A range of days; either end may be open."""

    from_ = fields.Date(load_default=None, data_key="from", metadata=_FIRST)
    to = fields.Date(load_default=None, metadata=_LAST)


class FormatQuery(Schema):
    format = fields.String(load_default="csv", validate=validate.OneOf(FORMATS))


class BalanceSchema(Schema):
    """An account. Amounts are integers in minor units of `currency`."""

    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    currency = fields.String(required=True)
    available_minor = fields.Integer(required=True, strict=True)
    reserved_minor = fields.Integer(required=True, strict=True)
    low_minor = fields.Integer(required=True, strict=True, allow_none=True)
    low = fields.Boolean(required=True, metadata={"description": "below low_minor"})
    least_price_minor = fields.Integer(
        required=True, strict=True, allow_none=True, metadata={"description": "of a segment; None: no route"}
    )
    most_price_minor = fields.Integer(required=True, strict=True, allow_none=True)


class PurseSchema(Schema):
    balances = fields.List(fields.Nested(BalanceSchema), required=True)


class LowSchema(Schema):
    low = fields.String(
        required=True,
        allow_none=True,
        validate=validate.Length(max=30),
        metadata={"description": "Tell when less is available: decimal text; null: never"},
    )


class DeductionFilter(DaysQuery):
    kind = fields.String(load_default=None, validate=validate.OneOf(KINDS))
    purpose = fields.String(load_default=None, validate=validate.OneOf(PURPOSES))
    user_id = fields.Integer(load_default=None)


class DeductionQuery(PageQuery, DeductionFilter):
    pass


class DeductionExportQuery(FormatQuery, DeductionFilter):
    pass


class DeductionSchema(Schema):
    """What a send has cost so far."""

    key = fields.String(required=True, metadata={"description": "tells rows apart"})
    at = fields.AwareDateTime(required=True, metadata={"description": "the last deduction"})
    send_id = fields.Integer(required=True, strict=True, allow_none=True)
    kind = fields.String(required=True)
    purpose = fields.String(required=True)
    user_id = fields.Integer(required=True, strict=True, allow_none=True)
    user = fields.String(required=True, allow_none=True)
    texts = fields.Integer(required=True, strict=True)
    segments = fields.Integer(required=True, strict=True)
    amount_minor = fields.Integer(required=True, strict=True, metadata={"description": "less what was given back"})
    given_back_minor = fields.Integer(required=True, strict=True)
    currency = fields.String(required=True)


class DeductionTotalsSchema(Schema):
    texts = fields.Integer(required=True, strict=True)
    segments = fields.Integer(required=True, strict=True)
    amount_minor = fields.Integer(required=True, strict=True)
    given_back_minor = fields.Integer(required=True, strict=True)
    currency = fields.String(required=True)


class DeductionPageSchema(Schema):
    items = fields.List(fields.Nested(DeductionSchema), required=True)
    total = fields.Integer(required=True, strict=True)
    page = fields.Integer(required=True, strict=True)
    per_page = fields.Integer(required=True, strict=True)
    totals = fields.Nested(DeductionTotalsSchema, required=True)


class SpenderSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)


class SpendersSchema(Schema):
    users = fields.List(fields.Nested(SpenderSchema), required=True)


class StatementFilter(DaysQuery):
    kind = fields.String(load_default="sms", validate=validate.OneOf(KINDS))


class StatementQuery(PageQuery, StatementFilter):
    pass


class StatementExportQuery(FormatQuery, StatementFilter):
    pass


class StatementDaySchema(Schema):
    """A day of an account, minor units: opening + topped up + corrected - reserved + refunded + given back = closing;
    reserved opening + reserved - settled - refunded = reserved closing."""

    day = fields.Date(required=True)
    opening_minor = fields.Integer(required=True, strict=True)
    topped_up_minor = fields.Integer(required=True, strict=True)
    corrected_minor = fields.Integer(required=True, strict=True)
    reserved_minor = fields.Integer(required=True, strict=True)
    refunded_minor = fields.Integer(required=True, strict=True)
    given_back_minor = fields.Integer(required=True, strict=True)
    closing_minor = fields.Integer(required=True, strict=True)
    reserved_opening_minor = fields.Integer(required=True, strict=True)
    settled_minor = fields.Integer(required=True, strict=True)
    reserved_closing_minor = fields.Integer(required=True, strict=True)
    currency = fields.String(required=True)


StatementPageSchema = page_of(StatementDaySchema)
