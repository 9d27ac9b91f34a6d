"""An agent's own day, and the floor as it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.auth.access import visible_user_ids
from callcenter.auth.models import User
from callcenter.calls.models import AgentStateRow, Call, CallTalk
from callcenter.calls.talk import TalkRole
from callcenter.tenancy.models import Enterprise
from crm.models import Disposition
from dialer.queries.campaigns import today

LISTED = 5
PAUSE_REASONS = ("break", "meal", "meeting", "training", "technical", "other")


def day_begins(session: Session, now: datetime) -> datetime:
    """The instant at which the enterprise's present day began, UTC."""
    return _begin_of(session, today(session, now))


def _begin_of(session: Session, day: date) -> datetime:
    zone = session.scalar(select(Enterprise.time_zone).where(Enterprise.id == session.info["tenant_id"])) or "UTC"
    return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)


class Period(StrEnum):
    """What figures are of: the present day, or the present week from Monday on, in the enterprise's zone."""

    TODAY = "today"
    WEEK = "week"


@dataclass(frozen=True)
class Figures:
    """What one agent did: calls, those connected, seconds of talk, sales."""

    user_id: int
    calls: int = 0
    connected: int = 0
    talk_s: float = 0.0
    sales: int = 0

    @property
    def merit(self) -> tuple[int, int]:
        """What a place is given by: sales, then connected calls."""
        return self.sales, self.connected


def my_day(session: Session, user_id: int, now: datetime) -> dict[str, Any]:
    """Today's figures of one agent: as `ranking` gives them, and seconds in each state."""
    begin = day_begins(session, now)
    return {
        **_standing(user_id, begin, _by_agent(session, begin)),
        "states": _states(session, user_id, begin, now),
    }


def ranking(session: Session, user_id: int, period: Period, now: datetime, *, names: bool) -> dict[str, Any]:
    """One agent's own figures of `period` and, if `names`, the LISTED best with the agent's own row, which comes after
    them where the agent is not one of them.

    `since`, calls, connected, talk_s, average_talk_s (None without a connected call), sales; `place` by sales, then
    connected calls, among those who had a call (`of` them; None without one); the same merit is the same place.
    """
    begin = day_begins(session, now)
    if period is Period.WEEK:
        begin = _begin_of(session, today(session, now) - timedelta(days=today(session, now).weekday()))
    everybody = _by_agent(session, begin)
    rows = _listed(session, user_id, everybody) if names else []
    return {"period": period.value, "names": names, **_standing(user_id, begin, everybody), "rows": rows}


def _standing(user_id: int, begin: datetime, everybody: Sequence[Figures]) -> dict[str, Any]:
    own = next((f for f in everybody if f.user_id == user_id), Figures(user_id))
    return {
        "since": begin,
        "calls": own.calls,
        "connected": own.connected,
        "talk_s": own.talk_s,
        "average_talk_s": own.talk_s / own.connected if own.connected else None,
        "sales": own.sales,
        "place": _place(own, everybody) if own.calls else None,
        "of": len(everybody),
    }


def _listed(session: Session, user_id: int, everybody: Sequence[Figures]) -> list[dict[str, Any]]:
    found = session.execute(select(User.id, User.name).where(User.id.in_([f.user_id for f in everybody])))
    names: dict[int, str] = {r.id: r.name for r in found}
    best = sorted(everybody, key=lambda f: (-f.sales, -f.connected, f.user_id != user_id, names[f.user_id], f.user_id))
    shown = [f for i, f in enumerate(best) if i < LISTED or f.user_id == user_id]
    return [
        {
            "place": _place(f, everybody), "name": names[f.user_id], "own": f.user_id == user_id,
            "calls": f.calls, "connected": f.connected, "talk_s": f.talk_s, "sales": f.sales,
        }
        for f in shown
    ]  # fmt: skip


def _place(own: Figures, everybody: Sequence[Figures]) -> int:
    return 1 + sum(f.merit > own.merit for f in everybody)


def _by_agent(session: Session, begin: datetime) -> list[Figures]:
    """Everybody who has had a call since `begin`. A call that was given on counts for each who had it, its sale for the
    last of them; each is credited with what he talked himself, as a guest too."""
    last = session.execute(
        select(
            Call.agent_id,
            func.count(Call.id),
            func.count(Call.connected_at),
            func.count(case((Disposition.sale, 1))),
        )
        .outerjoin(Disposition, Disposition.id == Call.disposition_id)
        .where(Call.agent_id.is_not(None), Call.started_at >= begin)
        .group_by(Call.agent_id)
    )
    found = {who: Figures(who or 0, calls, met, 0.0, sales) for who, calls, met, sales in last}
    another = or_(Call.agent_id.is_(None), Call.agent_id != CallTalk.user_id)
    given_on = case((and_(CallTalk.role == TalkRole.AGENT.value, another), Call.id))
    talked = session.execute(
        select(CallTalk.user_id, func.sum(CallTalk.talk_s), func.count(given_on.distinct()))
        .join(Call, Call.id == CallTalk.call_id)
        .join(User, User.id == CallTalk.user_id)
        .where(Call.started_at >= begin)
        .group_by(CallTalk.user_id)
    )
    for who, talk_s, earlier in talked:
        own = found.get(who, Figures(who))
        calls, met = own.calls + earlier, own.connected + earlier
        found[who] = replace(own, calls=calls, connected=met, talk_s=round(float(talk_s), 3))
    return list(found.values())


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
