"""Schemas of top-up orders, of the enterprise and of the platform."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from smsgateway.purse.orders import State
from web.http import PageQuery, page_of
from web.schemas.purse import KINDS, DaysQuery, FormatQuery

STATES = [s.value for s in State]
_AMOUNT = {"description": "decimal text in the account's currency, such as 100.00"}
_KEY = {"description": "makes a repeated request the same one"}


class TopUpFilter(DaysQuery):
    kind = fields.String(load_default=None, validate=validate.OneOf(KINDS))
    state = fields.String(load_default=None, validate=validate.OneOf(STATES))


class TopUpQuery(PageQuery, TopUpFilter):
    pass


class TopUpExportQuery(FormatQuery, TopUpFilter):
    pass


class TopUpSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    number = fields.String(required=True)
    kind = fields.String(required=True)
    amount_minor = fields.Integer(required=True, strict=True)
    currency = fields.String(required=True)
    provider = fields.String(required=True, metadata={"description": "transfer, stripe, alipay, operator"})
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    ordered_by = fields.String(required=True, allow_none=True)
    created_at = fields.AwareDateTime(required=True)
    paid_at = fields.AwareDateTime(required=True, allow_none=True)
    credited_by = fields.String(required=True)
    note = fields.String(required=True)


TopUpPageSchema = page_of(TopUpSchema)


class NewTopUpSchema(Schema):
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    amount = fields.String(required=True, validate=validate.Length(1, 30), metadata=_AMOUNT)
    provider = fields.String(load_default="transfer", validate=validate.Length(max=20))
    key = fields.String(load_default=None, allow_none=True, validate=validate.Length(8, 64), metadata=_KEY)


class TopUpOptionsSchema(Schema):
    """How a top-up can be ordered. Limits in minor units."""

    providers = fields.List(fields.String(), required=True)
    currency = fields.String(required=True)
    min_minor = fields.Integer(required=True, strict=True)
    max_minor = fields.Integer(required=True, strict=True)
    bank_details = fields.String(required=True, metadata={"description": "where a bank transfer goes"})


class PayingSchema(Schema):
    url = fields.String(required=True, allow_none=True, metadata={"description": "where the payer goes; None: nowhere"})


class OddSchema(Schema):
    """What a provider told that does not fit the order."""

    at = fields.String(required=True)
    provider = fields.String(required=True)
    ref = fields.String(required=True)
    why = fields.String(
        required=True, metadata={"description": "amount, currency, provider, paid_twice, reference, refunded"}
    )
    amount_minor = fields.Integer(required=True, strict=True)
    currency = fields.String(required=True)


class PlatformTopUpSchema(TopUpSchema):
    enterprise_id = fields.Integer(required=True, strict=True)
    enterprise = fields.String(required=True)
    code = fields.String(required=True)
    odd = fields.List(fields.Nested(OddSchema), required=True)


PlatformTopUpPageSchema = page_of(PlatformTopUpSchema)


class PlatformTopUpQuery(PageQuery):
    state = fields.String(load_default=None, validate=validate.OneOf(STATES))
    enterprise_id = fields.Integer(load_default=None)
    search = fields.String(load_default="", validate=validate.Length(max=80))


class DecisionSchema(Schema):
    note = fields.String(load_default="", validate=validate.Length(max=300))


class NewCreditSchema(Schema):
    """A credit that was not ordered."""

    enterprise_id = fields.Integer(required=True, strict=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    amount = fields.String(required=True, validate=validate.Length(1, 30), metadata=_AMOUNT)
    note = fields.String(load_default="", validate=validate.Length(max=300))
    key = fields.String(required=True, validate=validate.Length(8, 64), metadata=_KEY)


class NewCorrectionSchema(Schema):
    """A balance mended: a negative amount takes away."""

    enterprise_id = fields.Integer(required=True, strict=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    amount = fields.String(required=True, validate=validate.Length(1, 30), metadata=_AMOUNT)
    reason = fields.String(required=True, validate=validate.Length(1, 300))
    key = fields.String(required=True, validate=validate.Length(8, 64), metadata=_KEY)


class CorrectedSchema(Schema):
    done = fields.Boolean(required=True, metadata={"description": "false: it was done before"})


class EnterpriseBalanceQuery(PageQuery):
    search = fields.String(load_default="", validate=validate.Length(max=80))


class EnterpriseBalanceSchema(Schema):
    """What an enterprise has, in minor units."""

    enterprise_id = fields.Integer(required=True, strict=True)
    enterprise = fields.String(required=True)
    code = fields.String(required=True)
    currency = fields.String(required=True)
    sms_minor = fields.Integer(required=True, strict=True)
    sms_reserved_minor = fields.Integer(required=True, strict=True)
    mms_minor = fields.Integer(required=True, strict=True)
    mms_reserved_minor = fields.Integer(required=True, strict=True)


EnterpriseBalancePageSchema = page_of(EnterpriseBalanceSchema)
