"""Base classes of every table.

A table with `TenantOwned` belongs to one enterprise: row-level security fences it in the database (`rls.py`), and the
session adds the same condition to every ORM statement, so that a forgotten filter finds nothing instead of too much.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, MetaData, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column


class Base(DeclarativeBase):
    """Base of all tables; constraint names are regular so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
    }


class Numbered:
    """A surrogate key given by the database."""

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=False), primary_key=True)


class TenantOwned:
    """A row of one enterprise."""

    @declared_attr
    def tenant_id(cls) -> Mapped[int]:
        return mapped_column(BigInteger, ForeignKey("enterprise.id", ondelete="CASCADE"), index=True)


class Stamped:
    """When the row was made and last changed, UTC."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
