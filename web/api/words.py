"""Sensitive words: the enterprise's own, the built-in ones, allowed phrases, and a box to try a text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask_smorest import Blueprint
from sqlalchemy import select

from callcenter.db.session import tenant_session
from smsgateway.models import SensitiveWord, WordException
from smsgateway.words import actions, queries, store
from smsgateway.words.pieces import marked
from web.http import current_actor, paged, requires, tenant_id
from web.schemas.lists import CountSchema
from web.schemas.words import (
    BuiltInWordPageSchema,
    BuiltInWordsQuery,
    EditWordSchema,
    EnableWordsSchema,
    NewPhrasesSchema,
    NewWordsSchema,
    OwnWordPageSchema,
    OwnWordSchema,
    OwnWordsQuery,
    SwitchCategorySchema,
    SwitchWordsSchema,
    WordCategoriesSchema,
    WordIdsSchema,
    WordPhrasePageSchema,
    WordPhrasesQuery,
    WordsAddedSchema,
    WordTestSchema,
    WordVerdictSchema,
)

blueprint = Blueprint("words", __name__, url_prefix="/api/words", description="Sensitive words")


def _added(done: actions.Added) -> dict[str, Any]:
    return {**asdict(done), "wrong": [{"text": t, "reason": r} for t, r in done.wrong]}


@blueprint.get("")
@requires("words.read")
@blueprint.arguments(OwnWordsQuery, location="query")
@blueprint.response(200, OwnWordPageSchema)
def list_words(args: dict[str, Any]) -> dict[str, Any]:
    """The enterprise's own words, the newest first."""
    query = select(SensitiveWord).order_by(SensitiveWord.id.desc())
    if args["search"].strip():
        query = query.where(SensitiveWord.word.icontains(actions.tidy(args["search"]), autoescape=True))
    if args["category"]:
        query = query.where(SensitiveWord.category == args["category"])
    if "enabled" in args:
        query = query.where(SensitiveWord.enabled.is_(args["enabled"]))
    with tenant_session(tenant_id()) as db:
        return paged(db, query, args)


@blueprint.post("")
@requires("words.write")
@blueprint.arguments(NewWordsSchema)
@blueprint.response(200, WordsAddedSchema)
def add_words(given: dict[str, Any]) -> dict[str, Any]:
    """Add one or many words of the enterprise's own."""
    with tenant_session(tenant_id()) as db:
        done = actions.add_words(db, current_actor(), given["words"], given["category"], enabled=given["enabled"])
        return _added(done)


@blueprint.get("/<int:word_id>")
@requires("words.read")
@blueprint.response(200, OwnWordSchema)
def get_word(word_id: int) -> SensitiveWord:
    """A word of the enterprise's own."""
    with tenant_session(tenant_id()) as db:
        return actions.own_word(db, word_id)


@blueprint.patch("/<int:word_id>")
@requires("words.write")
@blueprint.arguments(EditWordSchema)
@blueprint.response(200, OwnWordSchema)
def edit_word(given: dict[str, Any], word_id: int) -> SensitiveWord:
    """Change a word of the enterprise's own, or its category."""
    with tenant_session(tenant_id()) as db:
        return actions.edit_word(db, current_actor(), word_id, word=given.get("word"), category=given.get("category"))


@blueprint.post("/enable")
@requires("words.write")
@blueprint.arguments(EnableWordsSchema)
@blueprint.response(200, CountSchema)
def enable_words(given: dict[str, Any]) -> dict[str, int]:
    """Enable or disable words of the enterprise's own."""
    with tenant_session(tenant_id()) as db:
        return {"count": actions.enable_words(db, current_actor(), given["ids"], given["enabled"])}


@blueprint.post("/delete")
@requires("words.write")
@blueprint.arguments(WordIdsSchema)
@blueprint.response(200, CountSchema)
def delete_words(given: dict[str, Any]) -> dict[str, int]:
    """Delete words of the enterprise's own."""
    with tenant_session(tenant_id()) as db:
        return {"count": actions.remove_words(db, current_actor(), given["ids"])}


@blueprint.get("/categories")
@requires("words.read")
@blueprint.response(200, WordCategoriesSchema)
def list_categories() -> dict[str, Any]:
    """Categories, with how many words each has and whether its built-in ones are on."""
    with tenant_session(tenant_id()) as db:
        return {"categories": [asdict(c) for c in queries.categories(db)]}


@blueprint.post("/categories")
@requires("words.write")
@blueprint.arguments(SwitchCategorySchema)
@blueprint.response(200, CountSchema)
def switch_category(given: dict[str, Any]) -> dict[str, int]:
    """Switch all built-in words of a category on or off."""
    with tenant_session(tenant_id()) as db:
        return {"count": actions.switch_category(db, current_actor(), given["category"], given["enabled"])}


@blueprint.get("/built-in")
@requires("words.read")
@blueprint.arguments(BuiltInWordsQuery, location="query")
@blueprint.response(200, BuiltInWordPageSchema)
def list_built_in(args: dict[str, Any]) -> dict[str, Any]:
    """Built-in words by category."""
    with tenant_session(tenant_id()) as db:
        rows = queries.built_in(
            db,
            search=args["search"],
            category=args["category"],
            language=args["language"],
            enabled=args.get("enabled"),
        )
    page, per_page = args["page"], args["per_page"]
    shown = rows[(page - 1) * per_page : page * per_page]
    return {"items": [asdict(r) for r in shown], "total": len(rows), "page": page, "per_page": per_page}


@blueprint.post("/built-in")
@requires("words.write")
@blueprint.arguments(SwitchWordsSchema)
@blueprint.response(200, CountSchema)
def switch_built_in(given: dict[str, Any]) -> dict[str, int]:
    """Switch built-in words on or off, one by one."""
    with tenant_session(tenant_id()) as db:
        return {"count": actions.switch_built_in(db, current_actor(), given["keys"], given["enabled"])}


@blueprint.get("/phrases")
@requires("words.read")
@blueprint.arguments(WordPhrasesQuery, location="query")
@blueprint.response(200, WordPhrasePageSchema)
def list_phrases(args: dict[str, Any]) -> dict[str, Any]:
    """Phrases in which no word is sensitive, the newest first."""
    query = select(WordException).order_by(WordException.id.desc())
    if args["search"].strip():
        query = query.where(WordException.phrase.icontains(actions.tidy(args["search"]), autoescape=True))
    with tenant_session(tenant_id()) as db:
        return paged(db, query, args)


@blueprint.post("/phrases")
@requires("words.write")
@blueprint.arguments(NewPhrasesSchema)
@blueprint.response(200, WordsAddedSchema)
def add_phrases(given: dict[str, Any]) -> dict[str, Any]:
    """Add phrases in which no word is sensitive."""
    with tenant_session(tenant_id()) as db:
        return _added(actions.add_phrases(db, current_actor(), given["phrases"]))


@blueprint.post("/phrases/delete")
@requires("words.write")
@blueprint.arguments(WordIdsSchema)
@blueprint.response(200, CountSchema)
def delete_phrases(given: dict[str, Any]) -> dict[str, int]:
    """Delete phrases."""
    with tenant_session(tenant_id()) as db:
        return {"count": actions.remove_phrases(db, current_actor(), given["ids"])}


@blueprint.post("/test")
@requires("words.read")
@blueprint.arguments(WordTestSchema)
@blueprint.response(200, WordVerdictSchema)
def test_text(given: dict[str, Any]) -> dict[str, Any]:
    """What the words make of a text: its pieces with the hits among them, and what would become of it."""
    with tenant_session(tenant_id()) as db:
        hits = store.load(db).find(given["text"])
    outcome = "passes" if not hits else "blocked" if any(h.contiguous for h in hits) else "approval"
    return {"outcome": outcome, "pieces": marked(given["text"], hits)}
