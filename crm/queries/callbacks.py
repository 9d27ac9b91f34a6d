"""Call-backs as screens show them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.auth.access import visible_user_ids
from callcenter.auth.models import User
from callcenter.tenancy.models import Enterprise
from crm.models import Callback, Customer, Lead
from crm.queries import typed
from crm.queries.card import shown

OVERDUE_AFTER: Final = timedelta(minutes=15)


def _rows() -> Select[Any]:
    return typed(
        select(Callback, User.name, Lead, Customer)
        .outerjoin(User, User.id == Callback.user_id)
        .outerjoin(Lead, Lead.id == Callback.lead_id)
        .outerjoin(Customer, Customer.id == Callback.customer_id)
        .order_by(Callback.due_at, Callback.id)
    )


def one(callback_id: int) -> Select[Any]:
    """The row of one call-back, for `rendered`."""
    return _rows().where(Callback.id == callback_id)


def visible(session: Session, actor: Actor, *, whose: str, due: str | None, state: str, now: datetime) -> Select[Any]:
    """The call-backs that `actor` sees. `whose`: mine (with anyone's) or all; `due`: due, overdue, today or None."""
    query = _rows().where(Callback.state == state)
    users = visible_user_ids(session, actor) if whose == "all" else frozenset({actor.user_id})
    if users is not None:
        query = query.where(or_(Callback.user_id.is_(None), Callback.user_id.in_(users)))
    if due is not None:
        query = query.where(Callback.due_at <= _until(session, due, now))
    return query


def _until(session: Session, due: str, now: datetime) -> datetime:
    if due == "due":
        return now
    if due == "overdue":
        return now - OVERDUE_AFTER
    zone = ZoneInfo(session.scalar(select(Enterprise.time_zone)) or "UTC")
    return now.astimezone(zone).replace(hour=23, minute=59, second=59)


def rendered(actor: Actor, row: Any, now: datetime) -> dict[str, Any]:
    """A row as the API shows it."""
    callback, user_name, lead, customer = row
    phones = [*(customer.phones if customer is not None else ()), *([lead.phone_e164] if lead is not None else ())]
    return {
        "id": callback.id,
        "due_at": callback.due_at,
        "state": callback.state,
        "overdue": callback.state == "open" and callback.due_at < now - OVERDUE_AFTER,
        "note": callback.note,
        "user_id": callback.user_id,
        "user_name": user_name or "",
        "lead_id": callback.lead_id,
        "customer_id": callback.customer_id,
        "campaign_id": callback.campaign_id,
        "name": (customer.name if customer is not None else "") or (lead.name if lead is not None else ""),
        "phone": shown(phones[0], actor) if phones else "",
        "created_at": callback.created_at,
    }
