"""An agent's own day, and the floor as it stands."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.auth.access import visible_user_ids
from callcenter.auth.models import User
from callcenter.calls.models import AgentStateRow, Call
from callcenter.tenancy.models import Enterprise
from crm.models import Disposition
from dialer.queries.campaigns import today

PAUSE_REASONS = ("break", "meal", "meeting", "training", "technical", "other")


def day_begins(session: Session, now: datetime) -> datetime:
    """The instant at which the enterprise's present day began, UTC."""
    zone = session.scalar(select(Enterprise.time_zone).where(Enterprise.id == session.info["tenant_id"])) or "UTC"
    return datetime.combine(today(session, now), time.min, ZoneInfo(zone)).astimezone(UTC)


def my_day(session: Session, user_id: int, now: datetime) -> dict[str, Any]:
    """Today's figures of one agent: calls, connected, talk_s, average_talk_s, sales, place by sales among those who
    worked today (`of` them; None without a call), and seconds in each state."""
    begin = day_begins(session, now)
    sale = func.count(case((Disposition.sale, 1)))
    by_agent = session.execute(
        select(
            Call.agent_id,
            func.count(Call.id),
            func.count(Call.connected_at),
            func.coalesce(func.sum(Call.talk_s), 0.0),
            sale,
        )
        .outerjoin(Disposition, Disposition.id == Call.disposition_id)
        .where(Call.agent_id.is_not(None), Call.started_at >= begin)
        .group_by(Call.agent_id)
    ).all()
    _, calls, connected, talk_s, sales = next((r for r in by_agent if r[0] == user_id), (user_id, 0, 0, 0.0, 0))
    ahead = sum(1 for r in by_agent if (r[4], r[2]) > (sales, connected))
    return {
        "since": begin,
        "calls": calls,
        "connected": connected,
        "talk_s": talk_s or 0.0,
        "average_talk_s": (talk_s or 0.0) / connected if connected else None,
        "sales": sales,
        "place": ahead + 1 if calls else None,
        "of": len(by_agent),
        "states": _states(session, user_id, begin, now),
    }


def floor(session: Session, actor: Actor) -> list[dict[str, Any]]:
    """The agents that `actor` sees: user_id and name, by name."""
    seen = visible_user_ids(session, actor)
    return [
        {"user_id": u.id, "name": u.name}
        for u in session.scalars(select(User).where(User.enabled).order_by(User.name, User.id))
        if (seen is None or u.id in seen) and any("desk.use" in r.permissions for r in u.roles if r.enabled)
    ]


def _states(session: Session, user_id: int, begin: datetime, now: datetime) -> dict[str, float]:
    out: dict[str, float] = {}
    stays = session.scalars(
        select(AgentStateRow).where(
            AgentStateRow.user_id == user_id,
            AgentStateRow.started_at >= begin - timedelta(days=1),
            (AgentStateRow.ended_at.is_(None)) | (AgentStateRow.ended_at > begin),
        )
    )
    for stay in stays:
        seconds = ((stay.ended_at or now) - max(stay.started_at, begin)).total_seconds()
        out[stay.state] = out.get(stay.state, 0.0) + max(0.0, seconds)
    return out
