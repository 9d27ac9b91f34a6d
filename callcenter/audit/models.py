"""The audit log's table and the one way to write to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Text, func
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter.db.base import Base, Numbered, TenantOwned


class AuditEntry(Base, Numbered, TenantOwned):
    """Who did what to which record, from where, when; before and after (only the fields that changed)."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_tenant_at", "tenant_id", "at"),
        Index("ix_audit_entry_record", "tenant_id", "entity", "entity_id"),
    )
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor_id: Mapped[int | None] = mapped_column(BigInteger)  # no foreign key: the entry outlives the user
    actor_name: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)  # create, update, delete, sign_in, play, download, start …
    entity: Mapped[str] = mapped_column(Text)
    entity_id: Mapped[str] = mapped_column(Text)
    entity_name: Mapped[str] = mapped_column(Text, server_default="")
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    ip: Mapped[str] = mapped_column(Text, server_default="")


@dataclass(frozen=True)
class Actor:
    """Who acts: a user, or a process of the system (`user_id` None, `name` its name)."""

    tenant_id: int
    user_id: int | None
    name: str
    ip: str = ""
    permissions: frozenset[str] = frozenset()


_SECRET = ("password", "secret", "token", "hash")


def _clean(values: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for k, v in values.items():
        if any(s in k for s in _SECRET):
            v = "•••" if v else v
        elif isinstance(v, datetime):
            v = v.isoformat()
        out[k] = v if isinstance(v, str | int | float | bool | list | dict | None) else str(v)
    return out


def record(
    session: Session,
    actor: Actor,
    action: str,
    entity: str,
    entity_id: int | str,
    *,
    name: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write one audit entry in this transaction. With both `before` and `after`, only what differs is kept."""
    old = _clean(before) if before is not None else None
    new = _clean(after) if after is not None else None
    if old is not None and new is not None:
        changed = {k for k in old.keys() | new.keys() if old.get(k) != new.get(k)}
        old = {k: v for k, v in old.items() if k in changed}
        new = {k: v for k, v in new.items() if k in changed}
    session.add(
        AuditEntry(
            actor_id=actor.user_id,
            actor_name=actor.name,
            action=action,
            entity=entity,
            entity_id=str(entity_id),
            entity_name=name,
            before=old,
            after=new,
            ip=actor.ip,
        )
    )
