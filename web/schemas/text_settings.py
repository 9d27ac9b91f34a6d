"""Schemas of an enterprise's settings of texts."""

from __future__ import annotations

from marshmallow import Schema, fields, validate


class TextSettingsSchema(Schema):
    """`signature`: what the enterprise chose, empty where its name stands for it (`usual_signature`)."""

    signature = fields.String(required=True)
    usual_signature = fields.String(required=True)
    signature_required = fields.Boolean(required=True, metadata={"description": "senders can't write another one"})


class TextSettingsChangesSchema(Schema):
    signature = fields.String(
        validate=validate.Length(max=60), metadata={"description": "empty: the enterprise's name"}
    )
    signature_required = fields.Boolean()
