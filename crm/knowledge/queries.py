"""What pages ask of the knowledge base: the tree with its counts, lists, searching, what fits a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, case, cast, func, literal, or_, select, text
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import Session, defer

from callcenter.acd.models import Queue
from callcenter.audit.models import Actor
from callcenter.errors import NotFound
from callcenter.tenancy.models import Enterprise
from crm.knowledge import categories, texts
from crm.knowledge.models import (
    ArticleState,
    KnowledgeArticle,
    KnowledgeCampaign,
    KnowledgeQueue,
    KnowledgeVersion,
    KnowledgeVote,
)

WRITE = "knowledge.write"
EXPIRED = "expired"  # published, and past its last day
STATES = (*(s.value for s in ArticleState), EXPIRED)
Article = KnowledgeArticle


@dataclass(frozen=True)
class Filter:
    """Which articles. `category_id` with those below it; `uncategorised`: in none; `state`: one of STATES."""

    search: str = ""
    category_id: int | None = None
    uncategorised: bool = False
    state: str = ""
    tag: str = ""
    campaign_id: int | None = None
    queue_id: int | None = None


def today(session: Session, now: datetime) -> date:
    """The enterprise's present day."""
    zone = session.scalar(select(Enterprise.time_zone).where(Enterprise.id == session.info["tenant_id"]))
    return now.astimezone(ZoneInfo(zone or "UTC")).date()


def seen_by(actor: Actor, day: date) -> ColumnElement[bool]:
    """The condition that leaves what `actor` sees on `day`: everything for who may write, else what is published and
    still valid."""
    if WRITE in actor.permissions:
        return literal(True)
    return and_(Article.state == ArticleState.PUBLISHED.value, _valid(day))


def find(session: Session, actor: Actor, article_id: int, day: date) -> KnowledgeArticle:
    """The article, if `actor` sees it. Raises NotFound."""
    row = session.scalars(select(Article).where(Article.id == article_id, seen_by(actor, day))).one_or_none()
    if row is None:
        raise NotFound("There is no such article.")
    return row


def articles(session: Session, actor: Actor, which: Filter, day: date) -> Select[int]:
    """The ids of the articles that `actor` sees and `which` leaves: by title, or with a search those first whose title
    or tags hold all of its words, then those that helped most."""
    query = select(Article.id).where(seen_by(actor, day))
    if which.category_id is not None:
        inside = categories.with_below([which.category_id], categories.load_tree(session))
        query = query.where(Article.category_id.in_(inside))
    elif which.uncategorised:
        query = query.where(Article.category_id.is_(None))
    if which.state == EXPIRED:
        query = query.where(Article.state == ArticleState.PUBLISHED.value, ~_valid(day))
    elif which.state:
        query = query.where(Article.state == which.state)
        if which.state == ArticleState.PUBLISHED:
            query = query.where(_valid(day))
    if which.tag:
        query = query.where(Article.tags.contains([which.tag]))
    if which.campaign_id is not None:
        query = query.where(_of_campaign(which.campaign_id))
    if which.queue_id is not None:
        query = query.where(_of_queue(which.queue_id))
    if which.search.strip():
        return _searched(query, which.search).order_by(*_by_fit(which.search))
    return query.order_by(Article.title_key, Article.id)


def suggested(
    session: Session, *, campaign_id: int | None, queue_id: int | None, search: str, day: date
) -> Select[int]:
    """Ids of what may help in a call: articles of its campaign or queue first, those of other ones last; among them as
    in `articles`, without a search the most helpful first. Published and valid ones only, whoever asks."""
    query = select(Article.id).where(Article.state == ArticleState.PUBLISHED.value, _valid(day))
    own = or_(
        _of_campaign(campaign_id) if campaign_id is not None else literal(False),
        _of_queue(queue_id) if queue_id is not None else literal(False),
    )
    elsewhere = or_(_of_campaign(None), _of_queue(None))
    place = case((own, 0), (elsewhere, 2), else_=1)
    if search.strip():
        return _searched(query, search).order_by(place, *_by_fit(search))
    return query.order_by(place, *_by_help())


def _valid(day: date) -> ColumnElement[bool]:
    return or_(Article.valid_until.is_(None), Article.valid_until >= day)


def _of_campaign(campaign_id: int | None) -> ColumnElement[bool]:
    """Whether the article belongs to that campaign, or to any."""
    link = select(KnowledgeCampaign.article_id)
    return Article.id.in_(link if campaign_id is None else link.where(KnowledgeCampaign.campaign_id == campaign_id))


def _of_queue(queue_id: int | None) -> ColumnElement[bool]:
    link = select(KnowledgeQueue.article_id)
    return Article.id.in_(link if queue_id is None else link.where(KnowledgeQueue.queue_id == queue_id))


def _searched(query: Select[int], search: str) -> Select[int]:
    asked = texts.query(search)
    if not asked:  # signs only: nothing has them
        return query.where(literal(False))
    return query.where(Article.id.in_(select(func.knowledge_with(cast(asked, TSQUERY)))))


def _by_help() -> tuple[Any, ...]:
    return (Article.not_helped - Article.helped, Article.views.desc(), Article.title_key, Article.id)


def _by_fit(search: str) -> tuple[Any, ...]:
    asked = texts.query(search)
    in_head = Article.head.op("@@")(cast(asked, TSQUERY)) if asked else literal(False)
    return (case((in_head, 0), else_=1), *_by_help())


def page_of(session: Session, query: Select[int], *, page: int, per_page: int) -> tuple[list[Article], int]:
    """A page of the articles that `query` gives ids of, and how many they are in all, found and put in order once."""
    counted = query.add_columns(func.count().over())
    found = session.execute(counted.limit(per_page).offset((page - 1) * per_page)).all()
    if found:
        total = found[0][1]
    else:
        total = 0 if page == 1 else session.scalar(select(func.count()).select_from(query.subquery())) or 0
    ids = [r[0] for r in found]
    # Without what is only searched by.
    some = select(Article).where(Article.id.in_(ids)).options(defer(Article.head), defer(Article.words))
    by_id = {a.id: a for a in session.scalars(some)}
    return [by_id[i] for i in ids], total


def state_of(row: KnowledgeArticle, day: date) -> str:
    """One of STATES."""
    gone = row.state == ArticleState.PUBLISHED and row.valid_until is not None and row.valid_until < day
    return EXPIRED if gone else row.state


def rows(session: Session, found: Sequence[KnowledgeArticle], day: date, search: str = "") -> list[dict[str, Any]]:
    """Articles as a list shows them."""
    tree = categories.load_tree(session)
    return [
        {
            "id": a.id,
            "title": a.title,
            "excerpt": texts.excerpt(a.body, search),
            "tags": list(a.tags),
            "category_id": a.category_id,
            "category": categories.path_of(a.category_id, tree),
            "state": state_of(a, day),
            "valid_until": a.valid_until,
            "views": a.views,
            "helped": a.helped,
            "not_helped": a.not_helped,
            "changed_at": a.changed_at,
        }
        for a in found
    ]


def whole(session: Session, actor: Actor, row: KnowledgeArticle, day: date) -> dict[str, Any]:
    """One article as its page shows it, with the actor's own vote and the names of its campaigns and queues."""
    mine = session.get(KnowledgeVote, (row.id, actor.user_id)) if actor.user_id is not None else None
    campaigns = session.execute(
        text(
            "SELECT c.id, c.name FROM knowledge_campaign k JOIN campaign c ON c.id = k.campaign_id"
            " WHERE k.article_id = :id ORDER BY c.name, c.id"
        ),
        {"id": row.id},
    )
    queues = session.execute(
        select(Queue.id, Queue.name)
        .join(KnowledgeQueue, KnowledgeQueue.queue_id == Queue.id)
        .where(KnowledgeQueue.article_id == row.id)
        .order_by(Queue.name, Queue.id)
    )
    [listed] = rows(session, [row], day)
    return {
        **listed,
        "body": row.body,
        "revision": row.revision,
        "changed_by": row.changed_by,
        "published_at": row.published_at,
        "vote": None if mine is None else mine.helped,
        "campaigns": [{"id": c.id, "name": c.name} for c in campaigns],
        "queues": [{"id": q.id, "name": q.name} for q in queues],
    }


def category_rows(session: Session, actor: Actor, day: date) -> dict[str, Any]:
    """The tree, each category after the one above it, with how many articles that `actor` sees are in it (`articles`)
    and in it or below it (`reached`); `all` of them, and those in no category."""
    tree = categories.load_tree(session)
    counted = select(Article.category_id, func.count()).where(seen_by(actor, day)).group_by(Article.category_id)
    counts: dict[int | None, int] = {r[0]: r[1] for r in session.execute(counted)}
    reached: dict[int, int] = {}
    for category_id, count in counts.items():
        for up in categories.way_to(category_id, tree):
            reached[up] = reached.get(up, 0) + count
    return {
        "tree": [
            {
                "id": i,
                "parent_id": tree[i].parent_id,
                "name": tree[i].name,
                "path": categories.path_of(i, tree),
                "depth": len(categories.way_to(i, tree)) - 1,
                "articles": counts.get(i, 0),
                "reached": reached.get(i, 0),
            }
            for i in categories.in_order(tree)
        ],
        "all": sum(counts.values()),
        "uncategorised": counts.get(None, 0),
    }


def tags_in_use(session: Session, actor: Actor, day: date, limit: int = 200) -> list[str]:
    """Tags of the articles that `actor` sees, the commonest first."""
    used = select(func.unnest(Article.tags).label("tag")).where(seen_by(actor, day)).subquery()
    query = select(used.c.tag).group_by(used.c.tag).order_by(func.count().desc(), used.c.tag).limit(limit)
    return list(session.scalars(query))


def versions(article_id: int) -> Select[Any]:
    """What the article has said, the newest first."""
    return (
        select(KnowledgeVersion)
        .where(KnowledgeVersion.article_id == article_id)
        .order_by(KnowledgeVersion.version.desc())
    )  # fmt: skip


def places(session: Session) -> dict[str, list[dict[str, Any]]]:
    """The campaigns and queues that an article can belong to, by name."""
    campaigns = session.execute(text("SELECT id, name FROM campaign ORDER BY name, id"))
    queues = session.execute(select(Queue.id, Queue.name).order_by(Queue.name, Queue.id))
    return {
        "campaigns": [{"id": c.id, "name": c.name} for c in campaigns],
        "queues": [{"id": q.id, "name": q.name} for q in queues],
    }
