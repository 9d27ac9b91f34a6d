"""Tables of the address book, and the rule of who sees what.

A group or a contact with an `owner_id` is private: that user sees it, nobody else, whatever their role. Below a group
all groups are as private as it is. A private contact stands in its owner's private groups only; a contact of the whole
enterprise may stand in public groups and in anybody's private ones.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.db.base import Base, Numbered, Stamped, TenantOwned

GRAMS = text("contact_grams(search)")


class PhoneLabel(StrEnum):
    """What a number of a contact is."""

    MOBILE = "mobile"
    WORK = "work"
    HOME = "home"
    OTHER = "other"


class ContactGroup(Base, Numbered, TenantOwned, Stamped):
    """A group of the tree. A disabled one and those below it are passed over by sends."""

    __tablename__ = "contact_group"
    __table_args__ = (
        UniqueConstraint("tenant_id", "owner_id", "parent_id", "name", postgresql_nulls_not_distinct=True),
        Index("ix_contact_group_parent_id", "parent_id"),
        Index("ix_contact_group_owner_id", "owner_id", postgresql_where=text("owner_id IS NOT NULL")),
    )
    name: Mapped[str] = mapped_column(Text)
    parent_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("contact_group.id"))
    owner_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="CASCADE"))
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))


class Contact(Base, Numbered, TenantOwned, Stamped):
    """A person of the address book. `phones` (E.164, the main one first) and `labels` go side by side.

    `name_key` is the name in the order of pages (`texts.name_key`), `search` what is looked through
    (`texts.search_text`): both are written with the rest. `customer_id`: the customer who had one of the numbers when
    the contact was last written. A birthday has a month and a day, and a year if it is known."""

    __tablename__ = "contact"
    __table_args__ = (
        Index("ix_contact_tenant_name", "tenant_id", "name_key", "id"),
        Index("ix_contact_phones", "phones", postgresql_using="gin"),
        Index("ix_contact_grams", GRAMS, postgresql_using="gin"),
        Index(
            "ix_contact_birthday", "tenant_id", "birth_month", "birth_day",
            postgresql_where=text("birth_month IS NOT NULL"),
        ),
        Index("ix_contact_owner_id", "owner_id", postgresql_where=text("owner_id IS NOT NULL")),
        Index("ix_contact_customer_id", "customer_id", postgresql_where=text("customer_id IS NOT NULL")),
    )  # fmt: skip
    owner_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Text, server_default="")
    name_key: Mapped[str] = mapped_column(Text, server_default="")
    phones: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    labels: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    email: Mapped[str] = mapped_column(Text, server_default="")
    company: Mapped[str] = mapped_column(Text, server_default="")
    title: Mapped[str] = mapped_column(Text, server_default="")
    birth_year: Mapped[int | None]
    birth_month: Mapped[int | None]
    birth_day: Mapped[int | None]
    note: Mapped[str] = mapped_column(Text, server_default="")
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    search: Mapped[str] = mapped_column(Text, server_default="")
    customer_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("customer.id", ondelete="SET NULL"))
    created_by: Mapped[int | None] = mapped_column(BigInteger)


class ContactMember(Base, TenantOwned):
    """A contact stands in a group."""

    __tablename__ = "contact_member"
    group_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("contact_group.id", ondelete="CASCADE"), primary_key=True
    )
    contact_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class JobKind(StrEnum):
    """Which way a file goes."""

    IMPORT = "import"
    EXPORT = "export"


class JobState(StrEnum):
    """Where a job stands. QUEUED and RUNNING end by themselves, whatever dies."""

    UPLOADED = "uploaded"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class ContactJob(Base, TenantOwned, Stamped):
    """A file on its way into the address book, or out of it; of `created_by` alone, since it may hold private contacts.

    `settings` of an import: how to read the file, columns, duplicates, groups; of an export: format, filter or ids.
    `counts` of an import: total, added, updated, rejected, duplicate_file, duplicate_book; of an export: total.
    `path` is the upload or the export, relative to the var directory, as is `rejected_path`."""

    __tablename__ = "contact_job"
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default=JobState.UPLOADED.value)
    file_name: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text, server_default="")
    size_bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    settings: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    counts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    error: Mapped[dict[str, Any] | None]
    rejected_path: Mapped[str] = mapped_column(Text, server_default="")
    created_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="SET NULL"))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
