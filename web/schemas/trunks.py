"""Schemas of trunks. The password can be written and is never read."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from web.http import page_of

_TRANSPORTS = validate.OneOf(["udp", "tcp", "tls"])
_AUTHS = validate.OneOf(["ip", "digest"])
_CODECS = validate.OneOf(["pcmu", "pcma"])


class TrunkChangesSchema(Schema):
    name = fields.String(validate=validate.Length(1, 80))
    enabled = fields.Boolean()
    host = fields.String(validate=validate.Length(1, 253))
    port = fields.Integer(strict=True, validate=validate.Range(1, 65535))
    transport = fields.String(validate=_TRANSPORTS)
    outbound_proxy = fields.String(validate=validate.Length(0, 260))
    username = fields.String(validate=validate.Length(0, 128))
    password = fields.String(load_only=True, validate=validate.Length(0, 256))
    from_domain = fields.String(validate=validate.Length(0, 253))
    register = fields.Boolean()
    channels = fields.Integer(strict=True, validate=validate.Range(1, 10_000))
    calls_per_second = fields.Float(validate=validate.Range(0.1, 1000))
    caller_ids = fields.List(fields.String(), validate=validate.Length(max=1000))
    prefixes = fields.List(fields.String(), validate=validate.Length(max=1000))
    strip_plus = fields.Boolean()
    prepend = fields.String(validate=validate.Length(0, 16))
    priority = fields.Integer(strict=True, validate=validate.Range(0, 1000))
    cost = fields.Integer(strict=True, validate=validate.Range(0, 1_000_000))
    options_every_s = fields.Integer(strict=True, validate=validate.Range(0, 3600))
    codec = fields.String(validate=_CODECS)
    inbound = fields.Boolean()
    inbound_auth = fields.String(validate=_AUTHS)
    inbound_username = fields.String(validate=validate.Length(0, 128))
    inbound_password = fields.String(load_only=True, validate=validate.Length(0, 256))
    inbound_sources = fields.List(fields.String(validate=validate.Length(1, 43)), validate=validate.Length(max=100))
    inbound_channels = fields.Integer(strict=True, validate=validate.Range(0, 10_000))
    inbound_calls_per_second = fields.Float(validate=validate.Range(0, 1000))


class NewTrunkSchema(TrunkChangesSchema):
    name = fields.String(required=True, validate=validate.Length(1, 80))
    host = fields.String(required=True, validate=validate.Length(1, 253))


class TrunkHealthSchema(Schema):
    """As the engine last told; `up` null until the trunk was asked."""

    up = fields.Boolean(required=True, allow_none=True)
    registered = fields.Boolean(required=True, allow_none=True)
    detail = fields.String(required=True)
    round_trip_ms = fields.Float(required=True, allow_none=True)
    in_use = fields.Integer(required=True)


class TrunkSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    enabled = fields.Boolean(required=True)
    host = fields.String(required=True)
    port = fields.Integer(required=True, strict=True)
    transport = fields.String(required=True, validate=_TRANSPORTS)
    outbound_proxy = fields.String(required=True)
    username = fields.String(required=True)
    has_password = fields.Boolean(required=True)
    from_domain = fields.String(required=True)
    register = fields.Boolean(required=True)
    channels = fields.Integer(required=True, strict=True)
    calls_per_second = fields.Float(required=True)
    caller_ids = fields.List(fields.String(), required=True)
    prefixes = fields.List(fields.String(), required=True)
    strip_plus = fields.Boolean(required=True)
    prepend = fields.String(required=True)
    priority = fields.Integer(required=True, strict=True)
    cost = fields.Integer(required=True, strict=True)
    options_every_s = fields.Integer(required=True, strict=True)
    codec = fields.String(required=True, validate=_CODECS)
    inbound = fields.Boolean(required=True)
    inbound_auth = fields.String(required=True, validate=_AUTHS)
    inbound_username = fields.String(required=True)
    has_inbound_password = fields.Boolean(required=True)
    inbound_sources = fields.List(fields.String(), required=True)
    inbound_channels = fields.Integer(required=True, strict=True)
    inbound_calls_per_second = fields.Float(required=True)
    health = fields.Nested(TrunkHealthSchema, required=True, allow_none=True)


TrunkPageSchema = page_of(TrunkSchema)
