"""Who works on a send: one transaction at a time, without holding the send's row, which carriers' processes need."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session


def take(session: Session, send_id: int) -> bool:
    """Claim a send until the end of the transaction; False if another transaction has it."""
    query = text("SELECT pg_try_advisory_xact_lock(hashtextextended('text-send', CAST(:id AS bigint)))")
    return bool(session.scalar(query, {"id": send_id}))


def judging(session: Session, tenant_id: int) -> None:
    """Keep opt-outs and blacklist entries out until the end of the transaction: what is judged by them holds then."""
    query = text("SELECT pg_advisory_xact_lock_shared(hashtextextended('text-stops', CAST(:id AS bigint)))")
    session.execute(query, {"id": tenant_id})


def stopping(session: Session, tenant_id: int) -> None:
    """Wait for the batches that are just judged without knowing of an opt-out or blacklist entry of this transaction;
    later ones wait for its end, and know."""
    query = text("SELECT pg_advisory_xact_lock(hashtextextended('text-stops', CAST(:id AS bigint)))")
    session.execute(query, {"id": tenant_id})


def using_pictures(session: Session, tenant_id: int) -> None:
    """Keep the pictures that this transaction has found from being swept before its end, when their use is seen."""
    query = text("SELECT pg_advisory_xact_lock_shared(hashtextextended('text-media', CAST(:id AS bigint)))")
    session.execute(query, {"id": tenant_id})


def sweeping_pictures(session: Session, tenant_id: int) -> None:
    """Wait for the transactions that use pictures; later ones wait for the end of this one."""
    query = text("SELECT pg_advisory_xact_lock(hashtextextended('text-media', CAST(:id AS bigint)))")
    session.execute(query, {"id": tenant_id})


def one_at_a_time(session: Session, tenant_id: int) -> None:
    """Wait until no other transaction counts this enterprise's texts to a number: two at once would both see that one
    more is allowed."""
    query = text("SELECT pg_advisory_xact_lock(hashtextextended('text-caps', CAST(:id AS bigint)))")
    session.execute(query, {"id": tenant_id})
