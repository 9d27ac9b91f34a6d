"""Schemas of automatic answers, opt-out keywords and the webhook of texts that come in."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from smsgateway.inbound.keywords import LONGEST, MOST_OWN, Match
from smsgateway.inbound.settings import LONGEST_REPLY
from web.http import page_of

_MATCH = validate.OneOf([m.value for m in Match])
_WORD = fields.String(validate=validate.Length(1, 2 * LONGEST))
_WORDS_MOST = validate.Length(max=2 * MOST_OWN)


class TextKeywordChangesSchema(Schema):
    name = fields.String(validate=validate.Length(1, 80))
    words = fields.List(_WORD, validate=_WORDS_MOST)
    match = fields.String(validate=_MATCH)
    template_id = fields.Integer(strict=True)
    enabled = fields.Boolean()
    position = fields.Integer(strict=True, validate=validate.Range(0, 10_000))


class NewTextKeywordSchema(TextKeywordChangesSchema):
    name = fields.String(required=True, validate=validate.Length(1, 80))
    words = fields.List(_WORD, required=True, validate=_WORDS_MOST)
    template_id = fields.Integer(required=True, strict=True)


class TextKeywordSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    words = fields.List(fields.String(), required=True)
    match = fields.String(required=True, validate=_MATCH)
    template_id = fields.Integer(required=True, strict=True)
    template_name = fields.String(required=True)
    template_enabled = fields.Boolean(required=True)
    enabled = fields.Boolean(required=True)
    position = fields.Integer(required=True, strict=True)
    used = fields.Integer(required=True, strict=True, metadata={"description": "answers in the last 30 days"})


TextKeywordPageSchema = page_of(TextKeywordSchema)


class TextAnsweringChangesSchema(Schema):
    out_words = fields.List(_WORD, validate=_WORDS_MOST)
    in_words = fields.List(_WORD, validate=_WORDS_MOST)
    off_words = fields.List(_WORD, validate=validate.Length(max=300))
    first_word = fields.Boolean()
    out_reply = fields.String(allow_none=True, validate=validate.Length(max=LONGEST_REPLY))
    in_reply = fields.String(allow_none=True, validate=validate.Length(max=LONGEST_REPLY))
    answers_per_hour = fields.Integer(strict=True, validate=validate.Range(1, 20))
    webhook_on = fields.Boolean()
    webhook_url = fields.String(validate=validate.Length(max=500))


class TextAnsweringSchema(Schema):
    """`out_reply`, `in_reply` null: the default beside it. `webhook_secret` is empty for who may not change it."""

    out_words = fields.List(fields.String(), required=True)
    in_words = fields.List(fields.String(), required=True)
    off_words = fields.List(fields.String(), required=True)
    built_in_out = fields.List(fields.String(), required=True)
    built_in_in = fields.List(fields.String(), required=True)
    first_word = fields.Boolean(required=True)
    out_reply = fields.String(required=True, allow_none=True)
    in_reply = fields.String(required=True, allow_none=True)
    default_out_reply = fields.String(required=True)
    default_in_reply = fields.String(required=True)
    answers_per_hour = fields.Integer(required=True, strict=True)
    webhook_on = fields.Boolean(required=True)
    webhook_url = fields.String(required=True)
    webhook_secret = fields.String(required=True)


class TextTrySchema(Schema):
    body = fields.String(required=True, validate=validate.Length(max=2000))


class TextTriedSchema(Schema):
    """What a text would set off. `did`: opt_out, opt_in, answer or empty (a person reads it)."""

    did = fields.String(required=True)
    keyword = fields.String(required=True)
    rule_id = fields.Integer(required=True, allow_none=True)
    rule_name = fields.String(required=True)
    reply = fields.String(required=True)


class TextForwardSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    inbound_id = fields.Integer(required=True, allow_none=True, metadata={"description": "null: a test"})
    url = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(["waiting", "ok", "failed"]))
    tries = fields.Integer(required=True, strict=True)
    answer = fields.String(required=True)
    next_at = fields.DateTime(required=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


TextForwardPageSchema = page_of(TextForwardSchema)
