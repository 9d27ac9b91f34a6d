"""The tree of categories, and changes to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.audit.records import find, flush
from callcenter.errors import Conflict, InvalidInput
from crm.addressbook.texts import name_key
from crm.knowledge.models import KnowledgeArticle, KnowledgeCategory

ENTITY: Final = "knowledge_category"
MAX_DEPTH: Final = 3
MAX_CATEGORIES: Final = 500
MAX_NAME: Final = 60
_NAMED = 5
_TAKEN = {"uq_knowledge_category_tenant_id_parent_id_name": ("name", "knowledge.category_taken")}


class Node(NamedTuple):
    """A category's place in the tree."""

    parent_id: int | None
    name: str


Tree = Mapping[int, Node]


def load_tree(session: Session) -> dict[int, Node]:
    """All categories of the enterprise."""
    c = KnowledgeCategory
    return {r.id: Node(r.parent_id, r.name) for r in session.execute(select(c.id, c.parent_id, c.name))}


def way_to(category_id: int | None, tree: Tree) -> list[int]:
    """The categories from the root to `category_id`."""
    way: list[int] = []
    while category_id is not None and category_id in tree and category_id not in way:
        way.insert(0, category_id)
        category_id = tree[category_id].parent_id
    return way


def path_of(category_id: int | None, tree: Tree) -> str:
    """`Products/Broadband`; empty for None."""
    return "/".join(tree[i].name for i in way_to(category_id, tree))


def with_below(category_ids: Iterable[int], tree: Tree) -> set[int]:
    """`category_ids` and all below them."""
    wanted = set(category_ids)
    return {i for i in tree if wanted & set(way_to(i, tree))}


def in_order(tree: Tree) -> list[int]:
    """Each after the one above it, beside one another by name."""
    return sorted(tree, key=lambda i: [f"{name_key(tree[up].name)} {up}" for up in way_to(i, tree)])


def add_category(session: Session, actor: Actor, *, name: str, parent_id: int | None = None) -> KnowledgeCategory:
    """Add a category. Raises InvalidInput, Conflict."""
    _lock(session, actor)
    tree = load_tree(session)
    if len(tree) >= MAX_CATEGORIES:
        raise Conflict(
            f"There are {MAX_CATEGORIES} categories already.", code="too_many", params={"max": MAX_CATEGORIES}
        )
    _check_place(1, parent_id, tree)
    row = KnowledgeCategory(name=_name(name), parent_id=parent_id)
    session.add(row)
    flush(session, _TAKEN)
    record(session, actor, "create", ENTITY, row.id, name=row.name, after=_seen(row, tree))
    return row


def change_category(
    session: Session, actor: Actor, category_id: int, changes: Mapping[str, Any]
) -> KnowledgeCategory:  # fmt: skip
    """Rename it, or move it with all below it: those of `name` and `parent_id` that are given. Raises NotFound,
    InvalidInput."""
    _lock(session, actor)
    row = find(session, KnowledgeCategory, category_id, lock=True)
    tree = load_tree(session)
    before = _seen(row, tree)
    if "name" in changes:
        row.name = _name(changes["name"])
    if "parent_id" in changes and changes["parent_id"] != row.parent_id:
        parent_id = changes["parent_id"]
        if category_id in way_to(parent_id, tree):
            sentence = "A category can't be moved below itself."
            raise InvalidInput(sentence, code="knowledge.below_itself", fields={"parent_id": sentence})
        own = len(way_to(category_id, tree))
        height = max(len(way_to(i, tree)) - own + 1 for i in with_below([category_id], tree))
        _check_place(height, parent_id, tree)
        row.parent_id = parent_id
    flush(session, _TAKEN)
    after = _seen(row, tree)
    if before != after:
        record(session, actor, "update", ENTITY, row.id, name=row.name, before=before, after=after)
    return row


def delete_category(session: Session, actor: Actor, category_id: int) -> None:
    """Delete an empty category. Raises NotFound; Conflict `knowledge.category_in_use` that counts what is in it."""
    _lock(session, actor)
    row = find(session, KnowledgeCategory, category_id, lock=True)
    tree = load_tree(session)
    below = [i for i in in_order(tree) if tree[i].parent_id == category_id]
    inside = select(KnowledgeArticle.title).where(KnowledgeArticle.category_id == category_id)
    count = session.scalar(select(func.count()).select_from(inside.subquery())) or 0
    if below or count:
        named = session.scalars(inside.order_by(KnowledgeArticle.title_key, KnowledgeArticle.id).limit(_NAMED)).all()
        raise Conflict(
            f"“{row.name}” can't be deleted: {len(below)} categories and {count} articles are in it. Move or delete"
            " them first.",
            code="knowledge.category_in_use",
            params={"name": row.name, "categories": len(below), "articles": count, "named": list(named)},
        )
    record(session, actor, "delete", ENTITY, row.id, name=row.name, before=_seen(row, tree))
    session.delete(row)
    session.flush()


def hold_category(session: Session, category_id: int | None) -> None:
    """Make sure that the category stays until the transaction ends. Raises InvalidInput on `category_id`."""
    if category_id is None:
        return
    there = select(KnowledgeCategory.id).where(KnowledgeCategory.id == category_id).with_for_update(key_share=True)
    if session.scalar(there) is None:
        sentence = "This category does not exist any more. Choose another."
        raise InvalidInput(sentence, code="unknown_choice", fields={"category_id": sentence})


def _lock(session: Session, actor: Actor) -> None:
    """One change to a tree at a time: two moves at once could make a circle."""
    session.execute(text("SELECT pg_advisory_xact_lock(733, :t)"), {"t": actor.tenant_id % 2**31})


def _name(given: str) -> str:
    name = " ".join(given.split())
    wrong = ""
    if not name:
        wrong = "Give the category a name."
    elif len(name) > MAX_NAME:
        wrong = f"{MAX_NAME} characters at most."
    elif "/" in name:
        wrong = "Leave out the slash: it stands between a category and the one below it."
    if wrong:
        raise InvalidInput(wrong, fields={"name": wrong})
    return name


def _check_place(height: int, parent_id: int | None, tree: Tree) -> None:
    if parent_id is not None and parent_id not in tree:
        sentence = "This category does not exist any more. Choose another."
        raise InvalidInput(sentence, code="unknown_choice", fields={"parent_id": sentence})
    if len(way_to(parent_id, tree)) + height > MAX_DEPTH:
        sentence = f"Categories go {MAX_DEPTH} levels deep at most."
        raise InvalidInput(
            sentence, code="knowledge.too_deep", fields={"parent_id": sentence}, params={"max": MAX_DEPTH}
        )


def _seen(row: KnowledgeCategory, tree: Tree) -> dict[str, Any]:
    return {"name": row.name, "parent": path_of(row.parent_id, tree) or None}
