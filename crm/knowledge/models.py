"""Tables of the knowledge base.

A draft is seen only by those who may write. A published article is seen by everybody who may read, until the day after
`valid_until` in the enterprise's zone; then again only by those who may write.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Date, ForeignKey, Index, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.db.base import Base, Numbered, Stamped, TenantOwned


class ArticleState(StrEnum):
    """Whether agents find an article."""

    DRAFT = "draft"
    PUBLISHED = "published"


class KnowledgeCategory(Base, Numbered, TenantOwned, Stamped):
    """A category of the tree, at most `categories.MAX_DEPTH` levels deep."""

    __tablename__ = "knowledge_category"
    __table_args__ = (UniqueConstraint("tenant_id", "parent_id", "name", postgresql_nulls_not_distinct=True),)
    name: Mapped[str] = mapped_column(Text)
    parent_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("knowledge_category.id"), index=True)


class KnowledgeArticle(Base, Numbered, TenantOwned, Stamped):
    """An article. `revision` rises with each saved change of what it says, and names its newest version. `title_key` is
    what titles are sorted by. `head` holds the words of title and tags, `words` those and the body's (`texts.lexemes`):
    both are written with the rest. `views`, `helped` and `not_helped` count; the latter two are the votes there are."""

    __tablename__ = "knowledge_article"
    __table_args__ = (Index("ix_knowledge_article_words", "words", postgresql_using="gin"),)
    category_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("knowledge_category.id"), index=True)
    title: Mapped[str] = mapped_column(Text)
    title_key: Mapped[str] = mapped_column(Text, server_default="")
    body: Mapped[str] = mapped_column(Text, server_default="")
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    state: Mapped[str] = mapped_column(Text, server_default=ArticleState.DRAFT.value)
    valid_until: Mapped[date | None] = mapped_column(Date)
    revision: Mapped[int] = mapped_column(server_default="1")
    views: Mapped[int] = mapped_column(server_default="0")
    helped: Mapped[int] = mapped_column(server_default="0")
    not_helped: Mapped[int] = mapped_column(server_default="0")
    head: Mapped[str] = mapped_column(TSVECTOR, server_default=text("''"))
    words: Mapped[str] = mapped_column(TSVECTOR, server_default=text("''"))
    changed_by: Mapped[str] = mapped_column(Text, server_default="")
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    published_at: Mapped[datetime | None]


class KnowledgeVersion(Base, TenantOwned):
    """What an article said from `saved_at` on. `by_id` without a key to users: the version outlives them.
    `restored`: the version whose words these are again."""

    __tablename__ = "knowledge_version"
    article_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("knowledge_article.id", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    restored: Mapped[int | None]
    by_id: Mapped[int | None] = mapped_column(BigInteger)
    by_name: Mapped[str] = mapped_column(Text, server_default="")
    saved_at: Mapped[datetime] = mapped_column(server_default=func.now())


class KnowledgeVote(Base, TenantOwned, Stamped):
    """Whether an article helped a user: one vote each, the last one counts."""

    __tablename__ = "knowledge_vote"
    article_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("knowledge_article.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    helped: Mapped[bool]


class KnowledgeCampaign(Base, TenantOwned):
    """The article comes first in calls of the campaign."""

    __tablename__ = "knowledge_campaign"
    article_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("knowledge_article.id", ondelete="CASCADE"), primary_key=True
    )
    campaign_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class KnowledgeQueue(Base, TenantOwned):
    """The article comes first in calls of the queue."""

    __tablename__ = "knowledge_queue"
    article_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("knowledge_article.id", ondelete="CASCADE"), primary_key=True
    )
    queue_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True, index=True
    )
