"""Write, publish, restore and delete articles; votes and views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session
from sqlalchemy.types import Text

from callcenter.acd.models import Queue
from callcenter.audit.models import Actor, record
from callcenter.audit.records import find
from callcenter.db.base import Base
from callcenter.errors import Conflict, InvalidInput, NotFound
from crm.addressbook.texts import folded, name_key
from crm.knowledge import categories, texts
from crm.knowledge.models import (
    ArticleState,
    KnowledgeArticle,
    KnowledgeCampaign,
    KnowledgeQueue,
    KnowledgeVersion,
    KnowledgeVote,
)

ENTITY: Final = "knowledge_article"
MAX_TITLE: Final = 120
MAX_BODY: Final = 40_000
MAX_TAG: Final = 30
MAX_TAGS: Final = 20
MAX_ARTICLES: Final = 20_000
_SAID = ("title", "body", "tags")  # a change of these makes a version


class ChangedMeanwhile(Conflict):
    """Somebody else has saved the article since it was loaded: `params` say who (`by`), when (`at`) and the newest
    `revision`."""

    code = "knowledge.changed"


def create(session: Session, actor: Actor, given: Mapping[str, Any], now: datetime) -> KnowledgeArticle:
    """A new draft. `given`: title, and any of body, tags, category_id, valid_until, campaign_ids, queue_ids. Raises
    InvalidInput, Conflict `too_many`."""
    if (session.scalar(select(func.count()).select_from(KnowledgeArticle)) or 0) >= MAX_ARTICLES:
        raise Conflict(f"There are {MAX_ARTICLES} articles already.", code="too_many", params={"max": MAX_ARTICLES})
    row = KnowledgeArticle(tenant_id=actor.tenant_id, revision=1)
    _put(session, row, {"title": "", "body": "", "tags": [], **given})
    _saved(session, actor, row, now)
    _link(session, row, given)
    record(session, actor, "create", ENTITY, row.id, name=row.title, after=_seen(session, row))
    return row


def change(
    session: Session, actor: Actor, article_id: int, revision: int, given: Mapping[str, Any], now: datetime
) -> KnowledgeArticle:
    """Change what is in `given`; a published article says it at once. A change of title, body or tags makes a version.
    Raises NotFound, ChangedMeanwhile, InvalidInput."""
    row = _current(session, article_id, revision)
    before = _seen(session, row)
    said = _said(row)
    _put(session, row, given)
    if _said(row) != said:
        row.revision += 1
        _saved(session, actor, row, now)
    session.flush()
    _link(session, row, given)
    after = _seen(session, row)
    if before != after:
        record(session, actor, "update", ENTITY, row.id, name=row.title, before=before, after=after)
    return row


def publish(session: Session, actor: Actor, article_id: int, now: datetime) -> KnowledgeArticle:
    """Let everybody who may read find it. Raises NotFound; InvalidInput without a body."""
    row = find(session, KnowledgeArticle, article_id, lock=True)
    if not row.body.strip():
        sentence = "Write the article before you publish it."
        raise InvalidInput(sentence, fields={"body": sentence})
    return _state(session, actor, row, ArticleState.PUBLISHED, "publish", now)


def withdraw(session: Session, actor: Actor, article_id: int, now: datetime) -> KnowledgeArticle:
    """Make it a draft again. Raises NotFound."""
    row = find(session, KnowledgeArticle, article_id, lock=True)
    return _state(session, actor, row, ArticleState.DRAFT, "withdraw", now)


def restore(
    session: Session, actor: Actor, article_id: int, revision: int, version: int, now: datetime
) -> KnowledgeArticle:  # fmt: skip
    """Let the article say again what it said in `version`; that is a new version, so nothing is lost. Raises NotFound,
    ChangedMeanwhile."""
    row = _current(session, article_id, revision)
    found = session.get(KnowledgeVersion, (row.id, version))
    if found is None:
        raise NotFound("There is no such version.")
    if _said(row) != (found.title, found.body, list(found.tags)):
        before = {"revision": row.revision, "title": row.title}
        _put(session, row, {"title": found.title, "body": found.body, "tags": list(found.tags)})
        row.revision += 1
        _saved(session, actor, row, now, restored=version)
        after = {"revision": row.revision, "title": row.title, "restored": version}
        record(session, actor, "restore", ENTITY, row.id, name=row.title, before=before, after=after)
    return row


def remove(session: Session, actor: Actor, article_id: int) -> None:
    """Delete it with its versions and votes. Raises NotFound."""
    row = find(session, KnowledgeArticle, article_id, lock=True)
    record(session, actor, "delete", ENTITY, row.id, name=row.title, before=_seen(session, row))
    session.delete(row)
    session.flush()


def vote(session: Session, actor: Actor, article: KnowledgeArticle, helped: bool | None) -> None:
    """Say whether it helped the actor, or take that back (None). `article` must be one that the actor sees; its counts
    are those after it."""
    row = find(session, KnowledgeArticle, article.id, lock=True)  # one vote at a time: the counts are taken anew
    mine = session.get(KnowledgeVote, (row.id, actor.user_id))
    before = None if mine is None else mine.helped
    if before == helped:
        return
    if helped is None:
        session.delete(mine)
    elif mine is None:
        session.add(KnowledgeVote(article_id=row.id, user_id=actor.user_id, helped=helped))
    else:
        mine.helped = helped
    session.flush()
    count = func.count()
    votes = select(count.filter(KnowledgeVote.helped), count.filter(~KnowledgeVote.helped))
    yes, no = session.execute(votes.where(KnowledgeVote.article_id == row.id)).one()
    row.helped, row.not_helped = yes, no
    session.flush()
    record(session, actor, "vote", ENTITY, row.id, name=row.title, before={"helped": before}, after={"helped": helped})


def viewed(session: Session, article: KnowledgeArticle) -> None:
    """Count that somebody has opened it. Neither a change of the article nor anything for the audit log."""
    session.execute(
        update(KnowledgeArticle)
        .where(KnowledgeArticle.id == article.id)
        .values(views=KnowledgeArticle.views + 1, updated_at=KnowledgeArticle.updated_at)
    )


def check_tags(given: Iterable[str]) -> list[str]:
    """`given` without blanks around them and without repetitions. Raises InvalidInput on `tags`."""
    tags = list({folded(t): " ".join(t.split()) for t in given if t.strip()}.values())
    wrong = ""
    if len(tags) > MAX_TAGS:
        wrong = f"{MAX_TAGS} tags at most."
    elif any(len(t) > MAX_TAG for t in tags):
        wrong = f"A tag has {MAX_TAG} characters at most."
    if wrong:
        raise InvalidInput(wrong, fields={"tags": wrong})
    return tags


def _current(session: Session, article_id: int, revision: int) -> KnowledgeArticle:
    row = find(session, KnowledgeArticle, article_id, lock=True)
    if row.revision != revision:
        raise ChangedMeanwhile(
            "Somebody else has changed this article meanwhile.",
            params={"by": row.changed_by, "revision": row.revision, "at": row.changed_at.isoformat()},
        )
    return row


def _put(session: Session, row: KnowledgeArticle, given: Mapping[str, Any]) -> None:
    """Set what the article says and holds, its links left out."""
    if "title" in given:
        row.title = " ".join(given["title"].split())
        wrong = "" if row.title else "Give the article a title."
        if len(row.title) > MAX_TITLE:
            wrong = f"{MAX_TITLE} characters at most."
        if wrong:
            raise InvalidInput(wrong, fields={"title": wrong})
        row.title_key = name_key(row.title)
    if "body" in given:
        row.body = given["body"].replace("\r\n", "\n").rstrip()
        if len(row.body) > MAX_BODY:
            wrong = f"{MAX_BODY} characters at most. Divide it into two articles."
            raise InvalidInput(wrong, fields={"body": wrong})
    if "tags" in given:
        row.tags = check_tags(given["tags"])
    if "category_id" in given:
        categories.hold_category(session, given["category_id"])
        row.category_id = given["category_id"]
    if "valid_until" in given:
        row.valid_until = given["valid_until"]


def _saved(
    session: Session, actor: Actor, row: KnowledgeArticle, now: datetime, *, restored: int | None = None
) -> None:  # fmt: skip
    """Keep what the article says now as its version `revision`, and let it be found by that."""
    row.changed_by, row.changed_at = actor.name, now
    head = texts.lexemes(row.title, *row.tags)
    words = texts.lexemes(row.title, *row.tags, texts.plain(row.body))
    _index(row, head, [*words, texts.enterprise_word(actor.tenant_id)])
    session.add(row)
    session.flush()
    session.add(
        KnowledgeVersion(
            article_id=row.id, version=row.revision, title=row.title, body=row.body, tags=list(row.tags),
            restored=restored, by_id=actor.user_id, by_name=actor.name, saved_at=now,
        )
    )  # fmt: skip
    session.flush()


def _index(row: Any, head: Sequence[str], words: Sequence[str]) -> None:
    row.head = func.array_to_tsvector(literal(list(head), ARRAY(Text)))
    row.words = func.array_to_tsvector(literal(list(words), ARRAY(Text)))


def _link(session: Session, row: KnowledgeArticle, given: Mapping[str, Any]) -> None:
    """Make the article's campaigns and queues those given, if they are. Raises InvalidInput."""
    if "campaign_ids" in given:
        # Campaigns belong to a package above this one.
        known = text("SELECT id FROM campaign WHERE id = ANY(:ids) FOR KEY SHARE")
        there = session.scalars(known, {"ids": list(given["campaign_ids"])})
        _pair(session, row, KnowledgeCampaign, "campaign_id", given["campaign_ids"], set(there))
    if "queue_ids" in given:
        queues = select(Queue.id).where(Queue.id.in_(given["queue_ids"])).with_for_update(key_share=True)
        _pair(session, row, KnowledgeQueue, "queue_id", given["queue_ids"], set(session.scalars(queues)))


def _pair(
    session: Session, row: KnowledgeArticle, kind: type[Base], column: str, wanted: Sequence[int], there: set[int]
) -> None:
    if set(wanted) - there:
        sentence = "This does not exist any more. Choose again."
        raise InvalidInput(sentence, code="unknown_choice", fields={f"{column}s": sentence})
    table: Any = kind.__table__
    session.execute(delete(table).where(table.c.article_id == row.id, table.c[column].not_in(there)))
    rows = [{"tenant_id": row.tenant_id, "article_id": row.id, column: i} for i in sorted(there)]
    if rows:
        session.execute(insert(table).values(rows).on_conflict_do_nothing())


def _state(
    session: Session, actor: Actor, row: KnowledgeArticle, state: ArticleState, action: str, now: datetime
) -> KnowledgeArticle:
    before = row.state
    if before != state:
        row.state = state.value
        row.published_at = now if state is ArticleState.PUBLISHED else None
        session.flush()
        record(
            session, actor, action, ENTITY, row.id, name=row.title, before={"state": before}, after={"state": row.state}
        )
    return row


def _said(row: KnowledgeArticle) -> tuple[Any, ...]:
    return tuple(list(v) if isinstance(v := getattr(row, name), list) else v for name in _SAID)


def _seen(session: Session, row: KnowledgeArticle) -> dict[str, Any]:
    """What the audit log keeps. The body itself is kept by the version."""
    campaigns = select(KnowledgeCampaign.campaign_id).where(KnowledgeCampaign.article_id == row.id)
    queues = select(KnowledgeQueue.queue_id).where(KnowledgeQueue.article_id == row.id)
    return {
        "title": row.title,
        "version": row.revision,
        "tags": list(row.tags),
        "category": categories.path_of(row.category_id, categories.load_tree(session)) or None,
        "valid_until": row.valid_until.isoformat() if row.valid_until else None,
        "campaigns": sorted(session.scalars(campaigns)),
        "queues": sorted(session.scalars(queues)),
    }
