"""Schemas of prompts."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from web.http import PageQuery, page_of

KINDS = ("upload", "recorded", "spoken")
LANGUAGES = ("", "en", "zh")


class PromptSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)
    language = fields.String(required=True, metadata={"description": "en, zh, or empty for music and sounds"})
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    text = fields.String(required=True, metadata={"description": "what is said, where it is known"})
    voice = fields.String(required=True)
    seconds = fields.Float(required=True)
    sha256 = fields.String(required=True)
    updated_at = fields.DateTime(required=True)


class PromptsQuery(PageQuery):
    search = fields.String(load_default="", validate=validate.Length(max=80))
    language = fields.String(validate=validate.OneOf(["en", "zh"]), metadata={"description": "and those of none"})
    kind = fields.String(validate=validate.OneOf(KINDS))


class SpeakSchema(Schema):
    text = fields.String(required=True, validate=validate.Length(max=2000))
    language = fields.String(required=True, validate=validate.OneOf(["en", "zh"]))
    voice = fields.String(load_default="", metadata={"description": "an id of /api/prompts/voices; empty: the first"})


class NewPromptSchema(SpeakSchema):
    name = fields.String(required=True, validate=validate.Length(1, 80))


class PromptChangesSchema(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 80))
    language = fields.String(required=True, validate=validate.OneOf(LANGUAGES))


class PromptUploadQuery(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 80))
    language = fields.String(load_default="", validate=validate.OneOf(LANGUAGES))
    kind = fields.String(load_default="upload", validate=validate.OneOf(["upload", "recorded"]))
    text = fields.String(load_default="", validate=validate.Length(max=2000))


class PromptReplaceQuery(Schema):
    kind = fields.String(load_default="upload", validate=validate.OneOf(["upload", "recorded"]))


class PromptUseSchema(Schema):
    kind = fields.String(required=True, metadata={"description": "queue, flow, number, campaign, user"})
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)


class PromptUsesSchema(Schema):
    uses = fields.List(fields.Nested(PromptUseSchema), required=True)


class VoiceSchema(Schema):
    id = fields.String(required=True)
    language = fields.String(required=True)
    name = fields.String(required=True)
    engine = fields.String(required=True)


class PromptChoicesSchema(Schema):
    voices = fields.List(fields.Nested(VoiceSchema), required=True, metadata={"description": "the preferred first"})
    installed = fields.List(
        fields.String(), required=True, metadata={"description": "names of those that come with the installation"}
    )


class ListenQuery(Schema):
    prompt = fields.String(
        required=True,
        validate=validate.Length(1, 2100),
        metadata={"description": 'as flows and queues name it: "prompt:3", "say:en:Hello", "hold_music", "tone:beep"'},
    )
    language = fields.String(load_default="en", validate=validate.OneOf(["en", "zh"]))


class GreetingSchema(Schema):
    greeting = fields.String(
        required=True,
        validate=validate.Length(max=2100),
        metadata={"description": 'a prompt as flows name it ("prompt:3", "say:en:…"); empty: the installation\'s'},
    )


PromptPageSchema = page_of(PromptSchema)
