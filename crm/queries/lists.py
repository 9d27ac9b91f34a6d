"""Lists with how far they are worked (first form of product row L4), and their leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, and_, func, or_, select, text
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.auth.access import visible_user_ids
from callcenter.auth.models import User
from crm.models import Disposition, Lead, LeadList, LeadStatus
from crm.queries import typed

_OPEN = (LeadStatus.NEW, LeadStatus.IN_PROGRESS, LeadStatus.RETRY, LeadStatus.CALLBACK)


def lists(search: str, *, enabled: bool | None = None) -> Select[LeadList]:
    """The enterprise's lists, the newest first."""
    query = select(LeadList).order_by(LeadList.id.desc())
    if search:
        query = query.where(LeadList.name.icontains(search, autoescape=True))
    if enabled is not None:
        query = query.where(LeadList.enabled.is_(enabled))
    return query


def rendered(session: Session, rows: Sequence[LeadList]) -> list[dict[str, Any]]:
    """Lists as the API shows them: with counts by status, penetration (share of finished leads) and the campaign."""
    ids = [r.id for r in rows]
    by_status: dict[int, dict[str, int]] = {i: {} for i in ids}
    tried: dict[int, int] = dict.fromkeys(ids, 0)
    query = (
        select(Lead.list_id, Lead.status, func.count(), func.count().filter(Lead.attempts > 0))
        .where(Lead.list_id.in_(ids))
        .group_by(Lead.list_id, Lead.status)
    )
    for list_id, status, count, attempted in session.execute(query):
        by_status[list_id][status] = count
        tried[list_id] += attempted
    names = {row.id: row.name for row in session.execute(text("SELECT id, name FROM campaign"))}
    out = []
    for row in rows:
        counts = by_status[row.id]
        total = sum(counts.values())
        left = sum(counts.get(s, 0) for s in _OPEN)
        out.append(
            {
                "id": row.id,
                "name": row.name,
                "country": row.country,
                "enabled": row.enabled,
                "expires_at": row.expires_at,
                "created_at": row.created_at,
                "campaign_id": row.campaign_id,
                "campaign_name": names.get(row.campaign_id, ""),
                "total": total,
                "left": left,
                "tried": tried[row.id],
                "penetration": (total - left) / total if total else 0.0,
                "by_status": counts,
            }
        )
    return out


def leads(session: Session, actor: Actor, args: Mapping[str, Any]) -> Select[Any]:
    """Leads that `actor` sees, as rows (lead, owner's name, disposition). Filters: list_id, status, search (name or
    digits of a phone)."""
    query = typed(
        select(Lead, User.name, Disposition, LeadList.name)
        .outerjoin(User, User.id == Lead.owner_id)
        .outerjoin(Disposition, Disposition.id == Lead.last_disposition_id)
        .join(LeadList, LeadList.id == Lead.list_id)
        .order_by(Lead.id),
    )
    if "list_id" in args:
        query = query.where(Lead.list_id == args["list_id"])
    if args.get("status"):
        query = query.where(Lead.status.in_(args["status"].split(",")))
    search = str(args.get("search", "")).strip()
    if search:
        digits = "".join(c for c in search if c.isdigit())
        conditions = [Lead.name.icontains(search, autoescape=True)]
        if len(digits) >= 3 and len(digits) >= len(search) - 4:
            conditions.append(Lead.phone_e164.contains(digits))
            conditions.append(and_(func.array_to_string(Lead.alt_phones, " ").contains(digits), Lead.alt_phones != []))
        query = query.where(or_(*conditions))
    users = visible_user_ids(session, actor)
    if users is not None:
        query = query.where(or_(Lead.owner_id.is_(None), Lead.owner_id.in_(users)))
    return query
