"""The outbox: what a transaction wants to tell the rest of the system, told only if it commits.

An action calls `tell(session, topic, **body)` beside its writes. The relay (backoffice) is woken by NOTIFY, carries the
rows out in order and deletes them. Delivery is at least once, so every receiver tolerates a repetition.

Topics: `settings` (entity, id: the relay re-reads that entity and gives the engine its new document), `command` (type,
body: sent to the tenant's engine as it is), `live` (topic, payload: pushed to the tenant's browsers), `blacklisted`
(phones: texts that wait for these numbers are cancelled), `send` (id: the figures of that send of texts are pushed).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Text, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter.db.base import Base, Numbered, Stamped, TenantOwned

CHANNEL = "outbox"


class OutboxRow(Base, Numbered, TenantOwned, Stamped):
    """One message that waits for the relay."""

    __tablename__ = "outbox"
    topic: Mapped[str] = mapped_column(Text)
    body: Mapped[dict[str, Any]]


def tell(session: Session, topic: str, /, **body: Any) -> None:
    """Add a message to the outbox of this transaction."""
    session.add(OutboxRow(topic=topic, body=body))
    session.execute(text(f"NOTIFY {CHANNEL}"))


def settings_changed(session: Session, entity: str, entity_id: int | str) -> None:
    """Tell the engine that a row it works by has changed (campaign, trunk, disposition, user, rule_set, enterprise)."""
    tell(session, "settings", entity=entity, id=entity_id)
