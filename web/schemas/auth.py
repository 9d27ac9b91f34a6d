"""Schemas of signing in and of the signed-in user."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

LOCALES = ("en", "zh-CN")


class SignInSchema(Schema):
    enterprise = fields.String(required=True, validate=validate.Length(1, 60))
    username = fields.String(required=True, validate=validate.Length(1, 60))
    password = fields.String(required=True, validate=validate.Length(1, 1000))


class CsrfSchema(Schema):
    token = fields.String(required=True)


class OwnEnterpriseSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    code = fields.String(required=True)
    name = fields.String(required=True)
    country = fields.String(required=True)
    time_zone = fields.String(required=True)
    is_demo = fields.Boolean(required=True)
    is_platform = fields.Boolean(required=True)
    valid_until = fields.Date(required=True, allow_none=True)


class OwnUserSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    username = fields.String(required=True)
    name = fields.String(required=True)
    locale = fields.String(required=True)
    built_in = fields.Boolean(required=True)


class MeSchema(Schema):
    user = fields.Nested(OwnUserSchema, required=True)
    enterprise = fields.Nested(OwnEnterpriseSchema, required=True)
    permissions = fields.List(fields.String(), required=True)
    scope = fields.String(required=True)


class ChangePasswordSchema(Schema):
    current = fields.String(required=True, validate=validate.Length(1, 1000))
    new = fields.String(required=True, validate=validate.Length(1, 1000))


class ChangeProfileSchema(Schema):
    locale = fields.String(validate=validate.OneOf(LOCALES))
    name = fields.String(validate=validate.Length(1, 80))


class DemoUserSchema(Schema):
    username = fields.String(required=True)
    name = fields.String(required=True)


class SignInHintsSchema(Schema):
    """What the sign-in page of a demo installation offers; empty elsewhere."""

    enterprise = fields.String(required=True, allow_none=True)
    password = fields.String(required=True, allow_none=True, metadata={"description": "Of all users of the demo"})
    users = fields.List(fields.Nested(DemoUserSchema), required=True)
