"""Schemas of the knowledge base."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from crm.knowledge.queries import STATES
from web.http import PageQuery, page_of

_SEARCH = validate.Length(max=100)
_IDS = fields.List(fields.Integer(strict=True), validate=validate.Length(max=200))


class KnowledgeCategorySchema(Schema):
    id = fields.Integer(required=True, strict=True)
    parent_id = fields.Integer(required=True, strict=True, allow_none=True)
    name = fields.String(required=True)
    path = fields.String(required=True, metadata={"description": "names from the root, with /"})
    depth = fields.Integer(required=True, strict=True)
    articles = fields.Integer(required=True, strict=True, metadata={"description": "in the category itself"})
    reached = fields.Integer(required=True, strict=True, metadata={"description": "in it or below it"})


class KnowledgeTreeSchema(Schema):
    tree = fields.List(fields.Nested(KnowledgeCategorySchema), required=True)
    all = fields.Integer(required=True, strict=True, metadata={"description": "articles that the user sees"})
    uncategorised = fields.Integer(required=True, strict=True)


class NewKnowledgeCategorySchema(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 200))
    parent_id = fields.Integer(strict=True, allow_none=True)


class ChangeKnowledgeCategorySchema(Schema):
    name = fields.String(validate=validate.Length(1, 200))
    parent_id = fields.Integer(strict=True, allow_none=True)


class KnowledgeListedSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    title = fields.String(required=True)
    excerpt = fields.String(required=True, metadata={"description": "where the searched word stands, or the beginning"})
    tags = fields.List(fields.String(), required=True)
    category_id = fields.Integer(required=True, strict=True, allow_none=True)
    category = fields.String(required=True, metadata={"description": "its path, empty without one"})
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    valid_until = fields.Date(required=True, allow_none=True, metadata={"description": "the last day it is shown"})
    views = fields.Integer(required=True, strict=True)
    helped = fields.Integer(required=True, strict=True)
    not_helped = fields.Integer(required=True, strict=True)
    changed_at = fields.DateTime(required=True)


class KnowledgePlaceSchema(Schema):
    id = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)


class KnowledgePlacesSchema(Schema):
    """What an article can belong to, so that it comes first in its calls."""

    campaigns = fields.List(fields.Nested(KnowledgePlaceSchema), required=True)
    queues = fields.List(fields.Nested(KnowledgePlaceSchema), required=True)


class KnowledgeArticleSchema(KnowledgeListedSchema):
    body = fields.String(required=True, metadata={"description": "Markdown: headings, bold, lists, links; no HTML"})
    revision = fields.Integer(required=True, strict=True, metadata={"description": "its newest version"})
    changed_by = fields.String(required=True)
    published_at = fields.DateTime(required=True, allow_none=True)
    vote = fields.Boolean(required=True, allow_none=True, metadata={"description": "the user's own"})
    campaigns = fields.List(fields.Nested(KnowledgePlaceSchema), required=True)
    queues = fields.List(fields.Nested(KnowledgePlaceSchema), required=True)


class KnowledgeQuery(PageQuery):
    search = fields.String(load_default="", validate=_SEARCH)
    category_id = fields.Integer(load_default=None, metadata={"description": "with those below it"})
    uncategorised = fields.Boolean(load_default=False)
    state = fields.String(load_default="", validate=validate.OneOf(["", *STATES]))
    tag = fields.String(load_default="", validate=_SEARCH)
    campaign_id = fields.Integer(load_default=None)
    queue_id = fields.Integer(load_default=None)


class KnowledgeSuggestionQuery(PageQuery):
    search = fields.String(load_default="", validate=_SEARCH)
    campaign_id = fields.Integer(load_default=None, metadata={"description": "the call's"})
    queue_id = fields.Integer(load_default=None, metadata={"description": "the call's"})


class _SaidSchema(Schema):
    # How long each may be is judged by the actions, whose sentences say what to do.
    body = fields.String(validate=validate.Length(max=200_000))
    tags = fields.List(fields.String(validate=validate.Length(max=100)), validate=validate.Length(max=100))
    category_id = fields.Integer(strict=True, allow_none=True)
    valid_until = fields.Date(allow_none=True)
    campaign_ids = _IDS
    queue_ids = _IDS


class NewKnowledgeArticleSchema(_SaidSchema):
    title = fields.String(required=True, validate=validate.Length(1, 500))


class ChangeKnowledgeArticleSchema(_SaidSchema):
    title = fields.String(validate=validate.Length(1, 500))
    revision = fields.Integer(
        required=True, strict=True, metadata={"description": "the one that was loaded; 409 if there is a newer one"}
    )


class KnowledgeVoteSchema(Schema):
    helped = fields.Boolean(required=True, allow_none=True, metadata={"description": "null takes the vote back"})


class KnowledgeVersionSchema(Schema):
    version = fields.Integer(required=True, strict=True)
    title = fields.String(required=True)
    body = fields.String(required=True)
    tags = fields.List(fields.String(), required=True)
    restored = fields.Integer(
        required=True, strict=True, allow_none=True, metadata={"description": "the version whose words these are again"}
    )
    by_name = fields.String(required=True)
    saved_at = fields.DateTime(required=True)


class RestoreKnowledgeVersionSchema(Schema):
    revision = fields.Integer(required=True, strict=True)


class KnowledgeTagsSchema(Schema):
    tags = fields.List(fields.String(), required=True)


KnowledgeListedPageSchema = page_of(KnowledgeListedSchema)
KnowledgeVersionPageSchema = page_of(KnowledgeVersionSchema)
