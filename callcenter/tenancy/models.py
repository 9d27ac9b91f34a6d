"""Tables of enterprises and departments."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.db.base import Base, Numbered, Stamped, TenantOwned


class Enterprise(Base, Numbered, Stamped):
    """A tenant. `code` is what its people type at sign-in; `country` (ISO 3166 alpha-2) is the default for numbers."""

    __tablename__ = "enterprise"
    __table_args__ = (
        Index("uq_enterprise_platform", "is_platform", unique=True, postgresql_where=text("is_platform")),
    )
    code: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    country: Mapped[str] = mapped_column(Text, server_default="CN")
    time_zone: Mapped[str] = mapped_column(Text, server_default="Asia/Shanghai")
    valid_until: Mapped[date | None]
    is_platform: Mapped[bool] = mapped_column(server_default=text("false"))  # the operator's own; there is one
    is_demo: Mapped[bool] = mapped_column(server_default=text("false"))
    idle_sign_out_min: Mapped[int] = mapped_column(server_default="480")
    settings: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


class Department(Base, Numbered, TenantOwned, Stamped):
    """A department; `parent_id` makes the tree. `manager_id` is the direct superior of its members."""

    __tablename__ = "department"
    __table_args__ = (UniqueConstraint("tenant_id", "parent_id", "name", postgresql_nulls_not_distinct=True),)
    parent_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("department.id"))
    name: Mapped[str] = mapped_column(Text)
    manager_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("user_account.id", ondelete="SET NULL", use_alter=True)
    )


class Announcement(Base, Numbered, Stamped):
    """What the operator tells all enterprises, or one. `kind`: announcement, promotion. Of the platform."""

    __tablename__ = "announcement"
    kind: Mapped[str] = mapped_column(Text, server_default="announcement")
    title: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text, server_default="")
    enterprise_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("enterprise.id", ondelete="CASCADE"))
    shown_from: Mapped[datetime] = mapped_column(server_default=text("now()"))
    shown_until: Mapped[datetime | None]
    created_by: Mapped[int | None] = mapped_column(BigInteger)
