"""Schemas of sensitive words."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from smsgateway.templates import MAX_LENGTH as MAX_TEXT
from smsgateway.words import shipped
from web.http import PageQuery, page_of

_CATEGORY = validate.OneOf([*shipped.CATEGORIES, shipped.OWN])
_MANY = validate.Length(1, 1000)


class OwnWordSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    word = fields.String(required=True)
    category = fields.String(required=True)
    enabled = fields.Boolean(required=True)
    created_at = fields.DateTime(required=True)


class OwnWordsQuery(PageQuery):
    search = fields.String(load_default="", validate=validate.Length(max=60))
    category = fields.String(load_default="", validate=validate.OneOf(["", *shipped.CATEGORIES, shipped.OWN]))
    enabled = fields.Boolean()


class NewWordsSchema(Schema):
    words = fields.List(
        fields.String(validate=validate.Length(max=200)), required=True, validate=validate.Length(1, 20_000)
    )
    category = fields.String(load_default=shipped.OWN, validate=_CATEGORY)
    enabled = fields.Boolean(load_default=True)


class EditWordSchema(Schema):
    word = fields.String(validate=validate.Length(max=200))
    category = fields.String(validate=_CATEGORY)


class WrongWordSchema(Schema):
    text = fields.String(required=True)
    reason = fields.String(required=True, metadata={"description": "too_short, too_long, built_in"})


class WordsAddedSchema(Schema):
    added = fields.Integer(required=True, strict=True)
    already = fields.Integer(required=True, strict=True)
    rejected = fields.Integer(required=True, strict=True)
    wrong = fields.List(fields.Nested(WrongWordSchema), required=True)


class WordIdsSchema(Schema):
    ids = fields.List(fields.Integer(strict=True), required=True, validate=_MANY)


class EnableWordsSchema(WordIdsSchema):
    enabled = fields.Boolean(required=True)


class BuiltInWordSchema(Schema):
    key = fields.String(required=True)
    category = fields.String(required=True)
    language = fields.String(required=True, metadata={"description": "zh, en"})
    enabled = fields.Boolean(required=True)
    category_off = fields.Boolean(required=True)


class BuiltInWordsQuery(OwnWordsQuery):
    language = fields.String(load_default="", validate=validate.OneOf(["", *shipped.LANGUAGES]))


class SwitchWordsSchema(Schema):
    keys = fields.List(fields.String(validate=validate.Length(max=60)), required=True, validate=_MANY)
    enabled = fields.Boolean(required=True)


class SwitchCategorySchema(Schema):
    category = fields.String(required=True, validate=validate.OneOf(list(shipped.CATEGORIES)))
    enabled = fields.Boolean(required=True)


class WordCategorySchema(Schema):
    category = fields.String(required=True)
    built_in = fields.Integer(required=True, strict=True)
    off = fields.Integer(required=True, strict=True)
    own = fields.Integer(required=True, strict=True)
    enabled = fields.Boolean(required=True)


class WordCategoriesSchema(Schema):
    categories = fields.List(fields.Nested(WordCategorySchema), required=True)


class WordPhraseSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    phrase = fields.String(required=True)
    created_at = fields.DateTime(required=True)


class WordPhrasesQuery(PageQuery):
    search = fields.String(load_default="", validate=validate.Length(max=60))


class NewPhrasesSchema(Schema):
    phrases = fields.List(
        fields.String(validate=validate.Length(max=200)), required=True, validate=validate.Length(1, 5_000)
    )


class WordTestSchema(Schema):
    text = fields.String(required=True, validate=validate.Length(1, MAX_TEXT))


class WordPieceSchema(Schema):
    """A stretch of the tested text; with `word`, it is a hit."""

    text = fields.String(required=True)
    word = fields.String()
    category = fields.String()
    contiguous = fields.Boolean()


class WordVerdictSchema(Schema):
    outcome = fields.String(required=True, validate=validate.OneOf(["passes", "approval", "blocked"]))
    pieces = fields.List(fields.Nested(WordPieceSchema), required=True)


OwnWordPageSchema = page_of(OwnWordSchema)
BuiltInWordPageSchema = page_of(BuiltInWordSchema)
WordPhrasePageSchema = page_of(WordPhraseSchema)
