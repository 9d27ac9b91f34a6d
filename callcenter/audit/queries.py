"""What is asked of the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from callcenter.audit.models import AuditEntry


def entries_query(args: Mapping[str, Any], time_zone: str) -> Select[AuditEntry]:
    """Entries, the newest first. `from_` and `to` are days of `time_zone`, both included, each may be None."""
    query = select(AuditEntry).order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
    if args["actor_id"] is not None:
        query = query.where(AuditEntry.actor_id == args["actor_id"])
    for field in ("action", "entity", "entity_id"):
        if args[field]:
            query = query.where(getattr(AuditEntry, field) == args[field])
    if args["search"]:
        escaped = args["search"].strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        query = query.where(
            or_(AuditEntry.entity_name.ilike(f"%{escaped}%"), AuditEntry.actor_name.ilike(f"%{escaped}%"))
        )
    if args["from_"] is not None:
        query = query.where(AuditEntry.at >= _midnight(args["from_"], time_zone))
    if args["to"] is not None and args["to"] < date.max:
        query = query.where(AuditEntry.at < _midnight(args["to"] + timedelta(days=1), time_zone))
    return query


def choices(session: Session) -> dict[str, list[str]]:
    """The actions and entities that stand in the log."""
    return {
        "actions": sorted(session.scalars(select(AuditEntry.action).distinct())),
        "entities": sorted(session.scalars(select(AuditEntry.entity).distinct())),
    }


def _midnight(day: date, time_zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(time_zone))
