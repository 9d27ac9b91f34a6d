"""Categories of the knowledge base."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from crm.knowledge import categories, queries
from web.http import current_actor, requires, tenant_id
from web.schemas.knowledge import (
    ChangeKnowledgeCategorySchema,
    KnowledgeCategorySchema,
    KnowledgeTreeSchema,
    NewKnowledgeCategorySchema,
)

blueprint = Blueprint(
    "knowledge_categories", __name__, url_prefix="/api/knowledge/categories",
    description="Categories of the knowledge base",
)  # fmt: skip


def _tree(db: Session) -> dict[str, Any]:
    return queries.category_rows(db, current_actor(), queries.today(db, utc_now()))


def _shown(db: Session, category_id: int) -> dict[str, Any]:
    return next(row for row in _tree(db)["tree"] if row["id"] == category_id)


@blueprint.get("")
@requires("knowledge.read")
@blueprint.response(200, KnowledgeTreeSchema)
def list_knowledge_categories() -> dict[str, Any]:
    """The whole tree, at most 500 categories, with how many articles the user finds in each."""
    with tenant_session(tenant_id()) as db:
        return _tree(db)


@blueprint.post("")
@requires("knowledge.write")
@blueprint.arguments(NewKnowledgeCategorySchema)
@blueprint.response(201, KnowledgeCategorySchema)
def post_knowledge_category(given: dict[str, Any]) -> dict[str, Any]:
    """Add a category, three levels deep at most."""
    with tenant_session(tenant_id()) as db:
        return _shown(db, categories.add_category(db, current_actor(), **given).id)


@blueprint.patch("/<int:category_id>")
@requires("knowledge.write")
@blueprint.arguments(ChangeKnowledgeCategorySchema)
@blueprint.response(200, KnowledgeCategorySchema)
def patch_knowledge_category(given: dict[str, Any], category_id: int) -> dict[str, Any]:
    """Rename or move a category with all below it."""
    with tenant_session(tenant_id()) as db:
        categories.change_category(db, current_actor(), category_id, given)
        return _shown(db, category_id)


@blueprint.delete("/<int:category_id>")
@requires("knowledge.write")
@blueprint.response(204)
def delete_knowledge_category(category_id: int) -> None:
    """Delete an empty category; 409 counts what is in it."""
    with tenant_session(tenant_id()) as db:
        categories.delete_category(db, current_actor(), category_id)
