"""Schemas of carriers, routes and prices."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from smsgateway.carriers.registry import PROTOCOLS
from smsgateway.carriers.settings import SettingKind
from smsgateway.texts import Kind, Purpose
from web.http import PageQuery, page_of

KINDS = [k.value for k in Kind]
PURPOSES = [p.value for p in Purpose]
DOUBTS = ("keep", "resend")
REFUNDS = ("never", "failed", "failed_or_expired")
MAX_PRICE_MINOR = 1_000_000
_name = validate.Length(1, 80)
_prefix = validate.Regexp(r"\+\d{1,14}\Z", error="Write it as +86138: a plus sign and digits.")
_currency = validate.Regexp(r"[A-Z]{3}\Z", error="Give the three-letter code, such as CNY.")


class TextSettingSchema(Schema):
    """A setting of a protocol, as the form shows it."""

    name = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf([k.value for k in SettingKind]))
    default = fields.Raw(required=True, allow_none=True)
    required = fields.Boolean(required=True)
    choices = fields.List(fields.String(), required=True)
    least = fields.Float(required=True, allow_none=True)
    most = fields.Float(required=True, allow_none=True)
    section = fields.String(required=True)


class TextProtocolSchema(Schema):
    name = fields.String(required=True, validate=validate.OneOf(list(PROTOCOLS)))
    settings = fields.List(fields.Nested(TextSettingSchema), required=True)


TextProtocolPage = page_of(TextProtocolSchema)


class CarrierHealthSchema(Schema):
    up = fields.Boolean(required=True)
    detail = fields.String(required=True)
    binds_up = fields.Integer(required=True, strict=True)
    binds = fields.Integer(required=True, strict=True)


class TextCarrierSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    protocol = fields.String(required=True)
    kinds = fields.List(fields.String(), required=True)
    enabled = fields.Boolean(required=True)
    bind_group = fields.String(required=True)
    settings = fields.Dict(keys=fields.String(), required=True, metadata={"description": "Without the secrets"})
    secrets_set = fields.List(fields.String(), required=True)
    window = fields.Integer(required=True, strict=True)
    texts_per_second = fields.Integer(required=True, strict=True)
    doubt = fields.String(required=True)
    refund = fields.String(required=True)
    receipt_wait_h = fields.Integer(required=True, strict=True)
    tenant_id_for_inbound = fields.Integer(required=True, allow_none=True, strict=True)
    health = fields.Nested(CarrierHealthSchema, required=True, allow_none=True)


TextCarrierPage = page_of(TextCarrierSchema)


class ChangeTextCarrierSchema(Schema):
    name = fields.String(validate=_name)
    protocol = fields.String(validate=validate.OneOf(list(PROTOCOLS)))
    kinds = fields.List(fields.String(validate=validate.OneOf(KINDS)))
    enabled = fields.Boolean()
    bind_group = fields.String(validate=validate.Regexp(r"[a-z0-9-]{0,40}\Z", error="Small letters, digits, hyphens."))
    settings = fields.Dict(keys=fields.String(), metadata={"description": "A secret that is left out stays"})
    window = fields.Integer(strict=True, validate=validate.Range(1, 1000))
    texts_per_second = fields.Integer(strict=True, validate=validate.Range(0, 100_000))
    doubt = fields.String(validate=validate.OneOf(DOUBTS))
    refund = fields.String(validate=validate.OneOf(REFUNDS))
    receipt_wait_h = fields.Integer(strict=True, validate=validate.Range(1, 24 * 30))
    tenant_id_for_inbound = fields.Integer(strict=True, allow_none=True)


class NewTextCarrierSchema(ChangeTextCarrierSchema):
    name = fields.String(required=True, validate=_name)
    protocol = fields.String(required=True, validate=validate.OneOf(list(PROTOCOLS)))


class TextRouteSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    carrier_id = fields.Integer(required=True, strict=True)
    carrier_name = fields.String(required=True)
    kind = fields.String(required=True)
    prefixes = fields.List(fields.String(), required=True)
    purposes = fields.List(fields.String(), required=True)
    priority = fields.Integer(required=True, strict=True)
    weight = fields.Integer(required=True, strict=True)
    enabled = fields.Boolean(required=True)
    price_minor = fields.Integer(required=True, strict=True)
    currency = fields.String(required=True)
    sender = fields.String(required=True)
    own_prices = fields.Integer(required=True, strict=True)


TextRoutePage = page_of(TextRouteSchema)


class ChangeTextRouteSchema(Schema):
    name = fields.String(validate=_name)
    carrier_id = fields.Integer(strict=True)
    kind = fields.String(validate=validate.OneOf(KINDS))
    prefixes = fields.List(fields.String(validate=_prefix), validate=validate.Length(max=1000))
    purposes = fields.List(fields.String(validate=validate.OneOf(PURPOSES)))
    priority = fields.Integer(strict=True, validate=validate.Range(1, 100))
    weight = fields.Integer(strict=True, validate=validate.Range(0, 1000))
    enabled = fields.Boolean()
    price_minor = fields.Integer(strict=True, validate=validate.Range(0, MAX_PRICE_MINOR))
    currency = fields.String(validate=_currency)
    sender = fields.String(validate=validate.Length(max=20))


class NewTextRouteSchema(ChangeTextRouteSchema):
    name = fields.String(required=True, validate=_name)
    carrier_id = fields.Integer(required=True, strict=True)
    price_minor = fields.Integer(required=True, strict=True, validate=validate.Range(0, MAX_PRICE_MINOR))


class TextPriceSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    enterprise_id = fields.Integer(required=True, strict=True)
    enterprise_name = fields.String(required=True)
    price_minor = fields.Integer(required=True, strict=True)
    valid_from = fields.DateTime(required=True)


TextPricePage = page_of(TextPriceSchema)


class NewTextPriceSchema(Schema):
    enterprise_id = fields.Integer(required=True, strict=True)
    price_minor = fields.Integer(required=True, strict=True, validate=validate.Range(0, MAX_PRICE_MINOR))
    valid_from = fields.AwareDateTime(load_default=None, allow_none=True)


class UnclaimedTextSchema(Schema):
    """A text that came in and tells of no enterprise."""

    id = fields.Integer(required=True, strict=True)
    carrier_name = fields.String(required=True)
    phone = fields.String(required=True)
    to = fields.String(required=True)
    subject = fields.String(required=True)
    body = fields.String(required=True)
    at = fields.DateTime(required=True)


UnclaimedTextPage = page_of(UnclaimedTextSchema)


class ClaimSchema(Schema):
    enterprise_id = fields.Integer(required=True, strict=True)


class CarriersQuery(PageQuery):
    pass
