"""Schemas of the second factor, on the profile page and at sign-in."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from callcenter.auth.halves import Step
from web.schemas.auth import MeSchema

_CODE = validate.Length(1, 40)


class SecondStepSchema(Schema):
    """The password was right, and something stands before the session."""

    step = fields.String(
        required=True,
        validate=validate.OneOf([s.value for s in Step]),
        metadata={"description": "code: give a code; setup: set the second factor up, a role of the user requires it"},
    )
    expires_in_s = fields.Integer(required=True, strict=True)


class SecondFactorCodeSchema(Schema):
    code = fields.String(
        required=True, validate=_CODE, metadata={"description": "Six digits of the app, or a recovery code"}
    )


class SecondFactorStateSchema(Schema):
    on = fields.Boolean(required=True)
    since = fields.AwareDateTime(required=True, allow_none=True)
    required = fields.Boolean(required=True, metadata={"description": "A role of the user requires it"})
    recovery_left = fields.Integer(required=True, strict=True, metadata={"description": "Unused recovery codes"})


class SecondFactorBeginSchema(Schema):
    password = fields.String(required=True, validate=validate.Length(1, 1000))


class SecondFactorPairingSchema(Schema):
    """What an authenticator app reads."""

    secret = fields.String(required=True, metadata={"description": "Base 32, to type where no camera is"})
    address = fields.String(required=True, metadata={"description": "otpauth://, as in the QR code"})
    qr_svg = fields.String(required=True, metadata={"description": "The QR code as an SVG image"})


class RecoveryCodesSchema(Schema):
    recovery_codes = fields.List(fields.String(), required=True, metadata={"description": "Never shown again"})


class SecondFactorSignedInSchema(RecoveryCodesSchema):
    me = fields.Nested(MeSchema, required=True)
