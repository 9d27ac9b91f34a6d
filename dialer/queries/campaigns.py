"""Campaigns as lists, forms and the console show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from callcenter.audit import records
from callcenter.audit.models import Actor
from callcenter.auth.access import visible_user_ids
from callcenter.auth.models import User
from callcenter.compliance.models import RuleSet
from callcenter.errors import NotFound
from callcenter.telephony.models import TrunkRow
from callcenter.tenancy.models import Enterprise
from crm.models import Callback, Customer, Lead, LeadList, LeadStatus, Script
from dialer.models import Campaign, CampaignAgent, CampaignDay
from dialer.queries import numbers

WINDOW_DAYS = 30
_COUNTS = ("placed", "answered", "connected", "abandoned")
_NEXT_CALLBACKS = 10


def visible(session: Session, actor: Actor) -> Select[Any]:
    """The campaigns that `actor` sees: whose scope is no wider than themself sees those that they work."""
    query = select(Campaign).order_by(Campaign.name, Campaign.id)
    seen = visible_user_ids(session, actor)
    if seen is not None and seen <= {actor.user_id}:
        mine = select(CampaignAgent.campaign_id).where(CampaignAgent.user_id == actor.user_id)
        query = query.where(Campaign.id.in_(mine))
    return query


def find(session: Session, actor: Actor, campaign_id: int) -> Campaign:
    """One campaign that `actor` sees. Raises NotFound."""
    row = session.scalars(visible(session, actor).where(Campaign.id == campaign_id)).one_or_none()
    if not isinstance(row, Campaign):
        raise NotFound("There is no such campaign.")
    return row


def rows(session: Session, campaigns: Iterable[Campaign]) -> list[dict[str, Any]]:
    """Each campaign's settings with how many agents and lists it has, what is left, and today's counts."""
    found = list(campaigns)
    wanted = [c.id for c in found]
    agents = _count(session, select(CampaignAgent.campaign_id, func.count()).group_by(CampaignAgent.campaign_id))
    lists = _count(session, select(LeadList.campaign_id, func.count()).group_by(LeadList.campaign_id))
    days = session.execute(
        select(CampaignDay).where(CampaignDay.campaign_id.in_(wanted), CampaignDay.day == today(session))
    )
    counts = {d.campaign_id: _rated({k: getattr(d, k) for k in _COUNTS}) for d in days.scalars()}
    nothing = _rated(dict.fromkeys(_COUNTS, 0))
    return [
        {
            **settings(c),
            "agents": agents.get(c.id, 0),
            "lists": lists.get(c.id, 0),
            "today": counts.get(c.id, nothing),
        }
        for c in found
    ]


def settings(campaign: Campaign) -> dict[str, Any]:
    """What the form edits, with id and state."""
    return {"id": campaign.id, **records.content(campaign)}


def figures(session: Session, actor: Actor, campaign_id: int) -> dict[str, Any]:
    """Today and the last 30 days by day, what is left of the lists by status, and the next call-backs."""
    find(session, actor, campaign_id)
    day = today(session)
    first = day - timedelta(days=WINDOW_DAYS - 1)
    days = session.scalars(
        select(CampaignDay)
        .where(CampaignDay.campaign_id == campaign_id, CampaignDay.day >= first)
        .order_by(CampaignDay.day)
    ).all()
    total = {k: sum(getattr(d, k) for d in days) for k in _COUNTS}
    present = {k: sum(getattr(d, k) for d in days if d.day == day) for k in _COUNTS}
    return {
        "day": day,
        "today": _rated(present),
        "days30": _rated(total),
        "days": [{"day": d.day, **_rated({k: getattr(d, k) for k in _COUNTS})} for d in days],
        "left": left(session, campaign_id),
        "callbacks": _callbacks(session, actor, campaign_id),
    }


def left(session: Session, campaign_id: int) -> dict[str, int]:
    """Leads of the campaign's lists by status; a status that none has is 0."""
    found = _count(
        session,
        select(Lead.status, func.count())
        .join(LeadList, LeadList.id == Lead.list_id)
        .where(LeadList.campaign_id == campaign_id)
        .group_by(Lead.status),
    )
    return {status.value: found.get(status.value, 0) for status in LeadStatus}


def options(session: Session) -> dict[str, list[dict[str, Any]]]:
    """What the campaign form offers to choose from."""
    feeding = {c.id: c.name for c in session.scalars(select(Campaign))}
    return {
        "agents": [
            {"id": u.id, "name": u.name, "username": u.username}
            for u in session.scalars(select(User).where(User.enabled).order_by(User.name))
            if any("desk.use" in r.permissions for r in u.roles if r.enabled)
        ],
        "lists": [
            {"id": x.id, "name": x.name, "campaign_id": x.campaign_id, "campaign_name": feeding.get(x.campaign_id or 0)}
            for x in session.scalars(select(LeadList).order_by(LeadList.name))
        ],
        "trunks": [
            {"id": t.id, "name": t.name, "enabled": t.enabled}
            for t in session.scalars(select(TrunkRow).order_by(TrunkRow.name))
        ],
        "scripts": [{"id": s.id, "name": s.name} for s in session.scalars(select(Script).order_by(Script.name))],
        "rule_sets": [
            {"id": r.id, "name": r.name, "is_default": r.is_default}
            for r in session.scalars(select(RuleSet).order_by(RuleSet.name))
        ],
    }


def today(session: Session, now: datetime | None = None) -> date:
    """The present day of the enterprise."""
    zone = session.scalar(select(Enterprise.time_zone).where(Enterprise.id == session.info["tenant_id"]))
    instant = now or datetime.now(ZoneInfo("UTC"))
    return instant.astimezone(ZoneInfo(zone or "UTC")).date()


def abandoned_rate(counts: Mapping[str, float]) -> float:
    """Abandoned per live answer (a fraction), 0 if there was none."""
    live = counts["connected"] + counts["abandoned"]
    return counts["abandoned"] / live if live else 0.0


def _rated(counts: Mapping[str, int]) -> dict[str, float]:
    return {**counts, "abandoned_rate": abandoned_rate(counts)}


def _count(session: Session, query: Any) -> dict[Any, int]:
    return {key: int(number) for key, number in session.execute(query)}


def _callbacks(session: Session, actor: Actor, campaign_id: int) -> list[dict[str, Any]]:
    found = session.execute(
        select(Callback, Lead.name, Lead.phone_e164, Customer.name, User.name)
        .outerjoin(Lead, Lead.id == Callback.lead_id)
        .outerjoin(Customer, Customer.id == Callback.customer_id)
        .outerjoin(User, User.id == Callback.user_id)
        .where(Callback.campaign_id == campaign_id, Callback.state == "open")
        .order_by(Callback.due_at)
        .limit(_NEXT_CALLBACKS)
    )
    return [
        {
            "id": callback.id,
            "due_at": callback.due_at,
            "name": customer or lead or "",
            "phone": numbers.shown(phone or "", actor),
            "user_name": user or "",
            "note": callback.note,
        }
        for callback, lead, phone, customer, user in found
    ]
