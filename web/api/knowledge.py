"""Articles of the knowledge base: for everybody to read and find, for some to write."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from callcenter.audit.records import find
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from crm.knowledge import actions, queries
from crm.knowledge.models import KnowledgeArticle
from web.http import PageQuery, current_actor, paged, requires, tenant_id
from web.schemas.knowledge import (
    ChangeKnowledgeArticleSchema,
    KnowledgeArticleSchema,
    KnowledgeListedPageSchema,
    KnowledgePlacesSchema,
    KnowledgeQuery,
    KnowledgeSuggestionQuery,
    KnowledgeTagsSchema,
    KnowledgeVersionPageSchema,
    KnowledgeVoteSchema,
    NewKnowledgeArticleSchema,
    RestoreKnowledgeVersionSchema,
)

blueprint = Blueprint("knowledge", __name__, url_prefix="/api/knowledge", description="Answers for calls")


def _page(db: Session, query: Any, args: dict[str, Any], search: str) -> dict[str, Any]:
    page, per_page = args["page"], args["per_page"]
    found, total = queries.page_of(db, query, page=page, per_page=per_page)
    items = queries.rows(db, found, queries.today(db, utc_now()), search)
    return {"items": items, "total": total, "page": page, "per_page": per_page}


def _seen(db: Session, article_id: int) -> KnowledgeArticle:
    return queries.find(db, current_actor(), article_id, queries.today(db, utc_now()))


def _whole(db: Session, row: KnowledgeArticle) -> dict[str, Any]:
    return queries.whole(db, current_actor(), row, queries.today(db, utc_now()))


@blueprint.get("/articles")
@requires("knowledge.read")
@blueprint.arguments(KnowledgeQuery, location="query")
@blueprint.response(200, KnowledgeListedPageSchema)
def list_knowledge_articles(args: dict[str, Any]) -> dict[str, Any]:
    """Articles by title, or what a search finds, the best first. Drafts and expired ones only for who may write."""
    which = queries.Filter(**{k: v for k, v in args.items() if k not in ("page", "per_page")})
    with tenant_session(tenant_id()) as db:
        query = queries.articles(db, current_actor(), which, queries.today(db, utc_now()))
        return _page(db, query, args, which.search)


@blueprint.get("/suggestions")
@requires("knowledge.read")
@blueprint.arguments(KnowledgeSuggestionQuery, location="query")
@blueprint.response(200, KnowledgeListedPageSchema)
def list_knowledge_suggestions(args: dict[str, Any]) -> dict[str, Any]:
    """What may help in a call: first the articles of its campaign or queue."""
    with tenant_session(tenant_id()) as db:
        query = queries.suggested(
            db, campaign_id=args["campaign_id"], queue_id=args["queue_id"], search=args["search"],
            day=queries.today(db, utc_now()),
        )  # fmt: skip
        return _page(db, query, args, args["search"])


@blueprint.get("/tags")
@requires("knowledge.read")
@blueprint.response(200, KnowledgeTagsSchema)
def list_knowledge_tags() -> dict[str, list[str]]:
    """Tags in use, the commonest first."""
    with tenant_session(tenant_id()) as db:
        return {"tags": queries.tags_in_use(db, current_actor(), queries.today(db, utc_now()))}


@blueprint.get("/places")
@requires("knowledge.write")
@blueprint.response(200, KnowledgePlacesSchema)
def list_knowledge_places() -> dict[str, Any]:
    """The campaigns and queues that an article can belong to."""
    with tenant_session(tenant_id()) as db:
        return queries.places(db)


@blueprint.post("/articles")
@requires("knowledge.write")
@blueprint.arguments(NewKnowledgeArticleSchema)
@blueprint.response(201, KnowledgeArticleSchema)
def post_knowledge_article(given: dict[str, Any]) -> dict[str, Any]:
    """Write an article; it is a draft until it is published."""
    with tenant_session(tenant_id()) as db:
        return _whole(db, actions.create(db, current_actor(), given, utc_now()))


@blueprint.get("/articles/<int:article_id>")
@requires("knowledge.read")
@blueprint.response(200, KnowledgeArticleSchema)
def get_knowledge_article(article_id: int) -> dict[str, Any]:
    """One article."""
    with tenant_session(tenant_id()) as db:
        return _whole(db, _seen(db, article_id))


@blueprint.patch("/articles/<int:article_id>")
@requires("knowledge.write")
@blueprint.arguments(ChangeKnowledgeArticleSchema)
@blueprint.response(200, KnowledgeArticleSchema)
def patch_knowledge_article(given: dict[str, Any], article_id: int) -> dict[str, Any]:
    """Change an article. 409 `knowledge.changed` if somebody else has saved it since `revision` was loaded."""
    revision = given.pop("revision")
    with tenant_session(tenant_id()) as db:
        return _whole(db, actions.change(db, current_actor(), article_id, revision, given, utc_now()))


@blueprint.delete("/articles/<int:article_id>")
@requires("knowledge.write")
@blueprint.response(204)
def delete_knowledge_article(article_id: int) -> None:
    """Delete an article with its versions."""
    with tenant_session(tenant_id()) as db:
        actions.remove(db, current_actor(), article_id)


@blueprint.post("/articles/<int:article_id>/publish")
@requires("knowledge.write")
@blueprint.response(200, KnowledgeArticleSchema)
def post_publish_article(article_id: int) -> dict[str, Any]:
    """Let everybody find it."""
    with tenant_session(tenant_id()) as db:
        return _whole(db, actions.publish(db, current_actor(), article_id, utc_now()))


@blueprint.post("/articles/<int:article_id>/withdraw")
@requires("knowledge.write")
@blueprint.response(200, KnowledgeArticleSchema)
def post_withdraw_article(article_id: int) -> dict[str, Any]:
    """Make it a draft again."""
    with tenant_session(tenant_id()) as db:
        return _whole(db, actions.withdraw(db, current_actor(), article_id, utc_now()))


@blueprint.post("/articles/<int:article_id>/views")
@requires("knowledge.read")
@blueprint.response(204)
def post_article_view(article_id: int) -> None:
    """Count that it was opened."""
    with tenant_session(tenant_id()) as db:
        actions.viewed(db, _seen(db, article_id))


@blueprint.put("/articles/<int:article_id>/vote")
@requires("knowledge.read")
@blueprint.arguments(KnowledgeVoteSchema)
@blueprint.response(200, KnowledgeArticleSchema)
def put_article_vote(given: dict[str, Any], article_id: int) -> dict[str, Any]:
    """Say whether it helped; one vote of each user, which can be changed and taken back."""
    with tenant_session(tenant_id()) as db:
        row = _seen(db, article_id)
        actions.vote(db, current_actor(), row, given["helped"])
        return _whole(db, row)


@blueprint.get("/articles/<int:article_id>/versions")
@requires("knowledge.write")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, KnowledgeVersionPageSchema)
def list_article_versions(args: dict[str, Any], article_id: int) -> dict[str, Any]:
    """What the article has said, the newest first."""
    with tenant_session(tenant_id()) as db:
        find(db, KnowledgeArticle, article_id)
        return paged(db, queries.versions(article_id), args)


@blueprint.post("/articles/<int:article_id>/versions/<int:version>/restore")
@requires("knowledge.write")
@blueprint.arguments(RestoreKnowledgeVersionSchema)
@blueprint.response(200, KnowledgeArticleSchema)
def post_restore_version(given: dict[str, Any], article_id: int, version: int) -> dict[str, Any]:
    """Let it say again what it said in that version, as a new one. 409 as for a change."""
    with tenant_session(tenant_id()) as db:
        row = actions.restore(db, current_actor(), article_id, given["revision"], version, utc_now())
        return _whole(db, row)
