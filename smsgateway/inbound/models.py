"""Tables of texts that come in, conversations, automatic answers and what is forwarded."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, SmallInteger, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.db.base import Base, Numbered, Stamped, TenantOwned


class Conversation(Base, Numbered, TenantOwned, Stamped):
    """All texts between the enterprise and one number, begun by the first that came from there. What went out is read
    from `text_message`. `unread`: texts of people that nobody has seen; `assigned_to`: whose it is, None nobody's."""

    __tablename__ = "text_conversation"
    __table_args__ = (
        UniqueConstraint("tenant_id", "phone_e164"),
        Index("ix_text_conversation_order", "tenant_id", text("(unread > 0) DESC"), text("last_at DESC")),
        Index("ix_text_conversation_customer_id", "customer_id", postgresql_where=text("customer_id IS NOT NULL")),
        Index("ix_text_conversation_assigned_to", "assigned_to", postgresql_where=text("assigned_to IS NOT NULL")),
    )
    phone_e164: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("customer.id", ondelete="SET NULL"))
    contact_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("contact.id", ondelete="SET NULL"))
    assigned_to: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="SET NULL"))
    assigned_at: Mapped[datetime | None]  # when a person or the last text made it so
    unread: Mapped[int] = mapped_column(server_default="0")
    last_at: Mapped[datetime]  # when the last text came
    last_body: Mapped[str] = mapped_column(Text, server_default="")


class InboundText(Base, Numbered, TenantOwned):
    """A text that came in. `digest` names it, so that a carrier that brings it twice is told so (`taking.digest`).

    `phone_e164`: who sent it, as the carrier wrote it where it is no number. `did`: what it meant: opt_out, opt_in,
    answer, limited (an answer that would have been one too many), or nothing; `keyword`: by which word. `message_id`,
    `send_id`, `user_id`: the text it answers, the last one to that number before it. `confirmed`: its wish was
    confirmed. `media`: [{path, type, name}] under var."""

    __tablename__ = "text_inbound"
    __table_args__ = (
        Index("ix_text_inbound_digest", "digest"),
        Index("ix_text_inbound_phone", "tenant_id", "phone_e164", "at"),
        Index("ix_text_inbound_created", "tenant_id", "created_at"),
        Index("ix_text_inbound_message", "message_id", postgresql_where=text("message_id IS NOT NULL")),
    )
    carrier_id: Mapped[int] = mapped_column(BigInteger)
    ref: Mapped[str] = mapped_column(Text, server_default="")
    digest: Mapped[str] = mapped_column(Text)
    phone_e164: Mapped[str] = mapped_column(Text)
    to: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text, server_default="")
    body: Mapped[str] = mapped_column(Text)
    media: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    at: Mapped[datetime]
    message_id: Mapped[int | None] = mapped_column(BigInteger)
    send_id: Mapped[int | None] = mapped_column(BigInteger)
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    did: Mapped[str] = mapped_column(Text, server_default="")
    keyword: Mapped[str] = mapped_column(Text, server_default="")
    rule_id: Mapped[int | None] = mapped_column(BigInteger)
    confirmed: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class PartedText(Base, Numbered):
    """A long text whose parts come one by one: `parts` has the words of each by its number ("1" …). Of the platform:
    whose it is, is asked when it is whole, or when `due_at` is over. After that it is kept for a while, so that a part
    that comes again is known for what it is."""

    __tablename__ = "parted_text"
    __table_args__ = (
        Index("ix_parted_text_key", "carrier_id", "sender", "ref"),
        Index("ix_parted_text_due", "due_at", postgresql_where=text("taken_at IS NULL")),
        Index("ix_parted_text_taken", "taken_at", postgresql_where=text("taken_at IS NOT NULL")),
    )
    carrier_id: Mapped[int] = mapped_column(BigInteger)
    sender: Mapped[str] = mapped_column(Text)
    to: Mapped[str] = mapped_column(Text)
    ref: Mapped[int]
    total: Mapped[int] = mapped_column(SmallInteger)
    parts: Mapped[dict[str, Any]]
    at: Mapped[datetime]  # when the first came
    due_at: Mapped[datetime]
    taken_at: Mapped[datetime | None]


class UnclaimedText(Base, Numbered, Stamped):
    """A text that came to a number of nobody. Of the platform: its operator gives it to an enterprise."""

    __tablename__ = "unclaimed_text"
    __table_args__ = (Index("ix_unclaimed_text_digest", "digest"),)
    carrier_id: Mapped[int] = mapped_column(BigInteger)
    ref: Mapped[str] = mapped_column(Text, server_default="")
    digest: Mapped[str] = mapped_column(Text)
    phone_e164: Mapped[str] = mapped_column(Text)
    to: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text, server_default="")
    body: Mapped[str] = mapped_column(Text)
    media: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    at: Mapped[datetime]
    enterprise_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("enterprise.id", ondelete="SET NULL"))
    claimed_at: Mapped[datetime | None]


class TextAnswering(Base, Numbered, TenantOwned, Stamped):
    """How an enterprise answers by itself; one row, made when it is first changed. `out_words`, `in_words`: its own
    keywords; `off_words`: built-in ones that it does not heed; `out_reply`, `in_reply` None: the sentence of the
    enterprise's language; empty: no confirmation. The webhook gets each text of a person, signed."""

    __tablename__ = "text_answering"
    __table_args__ = (UniqueConstraint("tenant_id"),)
    out_words: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    in_words: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    off_words: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    first_word: Mapped[bool] = mapped_column(server_default=text("true"))
    out_reply: Mapped[str | None] = mapped_column(Text)
    in_reply: Mapped[str | None] = mapped_column(Text)
    answers_per_hour: Mapped[int] = mapped_column(SmallInteger, server_default="3")
    webhook_on: Mapped[bool] = mapped_column(server_default=text("false"))
    webhook_url: Mapped[str] = mapped_column(Text, server_default="")
    webhook_secret: Mapped[str] = mapped_column(Text, server_default="")


class TextKeyword(Base, Numbered, TenantOwned, Stamped):
    """An automatic answer: who writes one of `words` gets the template. The first in `position` wins."""

    __tablename__ = "text_keyword"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    name: Mapped[str] = mapped_column(Text)
    words: Mapped[list[str]] = mapped_column(ARRAY(Text))
    match: Mapped[str] = mapped_column(Text, server_default="whole")
    template_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("text_template.id", ondelete="CASCADE"), index=True)
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    position: Mapped[int] = mapped_column(server_default="0")


class TextForward(Base, Numbered, TenantOwned, Stamped):
    """A post to the webhook, and how it went. `inbound_id` None: a test. `state`: waiting, ok, failed."""

    __tablename__ = "text_forward"
    __table_args__ = (
        Index("ix_text_forward_due", "next_at", postgresql_where=text("state = 'waiting'")),
        Index("ix_text_forward_tenant_created", "tenant_id", "created_at"),
    )
    inbound_id: Mapped[int | None] = mapped_column(BigInteger)
    url: Mapped[str] = mapped_column(Text)
    body: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(Text, server_default="waiting")
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    answer: Mapped[str] = mapped_column(Text, server_default="")  # ok, "status 500", timeout, refused_address …
    next_at: Mapped[datetime]
