"""Calls as lists, details and time lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from callcenter.acd.models import Queue
from callcenter.audit.models import Actor
from callcenter.auth.access import visible_user_ids
from callcenter.auth.models import User
from callcenter.calls.models import Call, CallParty, CallTalk, FactRow, Recording
from callcenter.errors import NotFound
from callcenter.telephony.models import TrunkRow
from crm.models import Customer, Disposition, Lead
from crm.queries import tasks
from crm.queries.dispositions import disposition_of
from dialer.models import Campaign
from dialer.queries import numbers

PLAYABLE = ("growing", "closed", "stored")
# What of a fact's body the time line shows; ids of other tables and phone numbers stay out.
_TOLD = frozenset(
    {
        "mode", "wait_ms", "outcome", "cause", "sip_status", "hung_up_by", "hold_s", "mos", "note", "callback_at",
        "seconds", "caller_id", "rule", "detail", "reason", "how", "wait_s", "rang_s", "verb", "way", "question",
        "answer", "kind", "to_kind", "role",
    }
)  # fmt: skip


def visible(session: Session, actor: Actor, filters: Mapping[str, Any]) -> Any:
    """The calls that `actor` sees, newest first, as rows (call, customer, lead, agent, campaign, disposition, trunk).

    `filters`, each may be missing: from_ and to (instants, the second exclusive), direction, campaign_id, queue_id,
    agent_id, outcome, phone (digits, a whole number or a part), disposition_id, customer_id, lead_id, connected (bool).
    """
    query: Any = (
        select(Call, Customer.name, Lead.name, User.name, Campaign.name, Disposition, TrunkRow.name, Queue.name)
        .outerjoin(Customer, Customer.id == Call.customer_id)
        .outerjoin(Lead, Lead.id == Call.lead_id)
        .outerjoin(User, User.id == Call.agent_id)
        .outerjoin(Campaign, Campaign.id == Call.campaign_id)
        .outerjoin(Disposition, Disposition.id == Call.disposition_id)
        .outerjoin(TrunkRow, TrunkRow.id == Call.trunk_id)
        .outerjoin(Queue, Queue.id == Call.queue_id)
        .order_by(Call.started_at.desc(), Call.id.desc())
    )
    query = _scoped(session, actor, query)
    for name in (
        "direction",
        "campaign_id",
        "queue_id",
        "agent_id",
        "outcome",
        "disposition_id",
        "customer_id",
        "lead_id",
    ):
        if filters.get(name) is not None:
            query = query.where(getattr(Call, name) == filters[name])
    if filters.get("from_") is not None:
        query = query.where(Call.started_at >= filters["from_"])
    if filters.get("to") is not None:
        query = query.where(Call.started_at < filters["to"])
    if filters.get("connected") is not None:
        query = query.where(Call.connected_at.is_not(None) if filters["connected"] else Call.connected_at.is_(None))
    if phone := _digits(filters.get("phone") or ""):
        query = query.where(
            Call.phone_e164.startswith(phone) if phone.startswith("+") else Call.phone_e164.contains(phone)
        )
    return query


def rendered(session: Session, actor: Actor, found: list[Any]) -> list[dict[str, Any]]:
    """Rows of `visible` as dicts, each with its recordings."""
    recordings: dict[str, list[dict[str, Any]]] = {}
    wanted = [row[0].id for row in found]
    for r in session.scalars(
        select(Recording).where(Recording.call_id.in_(wanted), Recording.deleted_at.is_(None)).order_by(Recording.id)
    ):
        if r.state in PLAYABLE:
            recordings.setdefault(r.call_id, []).append(
                {"id": r.id, "state": r.state, "seconds": r.seconds, "started_at": r.started_at}
            )
    return [_call(row, actor) | {"recordings": recordings.get(row[0].id, [])} for row in found]


def detail(session: Session, actor: Actor, call_id: str) -> dict[str, Any]:
    """One call with its time line. Raises NotFound, also for a call that `actor` does not see."""
    row = session.execute(visible(session, actor, {}).where(Call.id == call_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such call.")
    [out] = rendered(session, actor, [row])
    call: Call = row[0]
    out |= {
        "caller_id": call.caller_id,
        "did": call.did,
        "queue_wait_s": call.queue_wait_s,
        "path": call.path,
        "shown": call.shown,
        "quality": call.quality,
        "parties": _parties(session, actor, call_id),
        "talks": _talks(session, call_id),
        "ringing_at": call.ringing_at,
        "wrap_ended_at": call.wrap_ended_at,
        "sip_status": call.sip_status,
        "timeline": _timeline(session, call_id),
    }
    return out


def recording(session: Session, actor: Actor, recording_id: str) -> tuple[Recording, Call]:
    """A recording with its call, if `actor` sees the call, or a task made of it (a voicemail). Raises NotFound."""
    query: Any = (
        select(Recording, Call)
        .join(Call, Call.id == Recording.call_id)
        .where(Recording.id == recording_id, Recording.deleted_at.is_(None), Recording.state.in_(PLAYABLE))
    )
    if not tasks.plays(session, actor, recording_id):
        query = _scoped(session, actor, query)
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFound("There is no such recording.")
    return row[0], row[1]


def _scoped(session: Session, actor: Actor, query: Any) -> Any:
    """Calls that nobody took are seen by all who see more than themself."""
    users = visible_user_ids(session, actor)
    if users is None:
        return query
    if users <= {actor.user_id}:
        return query.where(Call.agent_id.in_(users))
    return query.where(or_(Call.agent_id.in_(users), Call.agent_id.is_(None)))


def _digits(text: str) -> str:
    kept = "".join(c for c in text if c.isascii() and c.isdigit())
    return "+" + kept if kept and text.strip().startswith("+") else kept


def _call(row: Any, actor: Actor) -> dict[str, Any]:
    call, customer, lead, agent, campaign, disposition, trunk, queue = row
    return {
        "id": call.id,
        "direction": call.direction,
        "mode": call.mode,
        "phone": numbers.shown(call.phone_e164, actor),
        "name": customer or lead or "",
        "customer_id": call.customer_id,
        "lead_id": call.lead_id,
        "campaign_id": call.campaign_id,
        "campaign_name": campaign or "",
        "queue_id": call.queue_id,
        "queue_name": queue or "",
        "agent_id": call.agent_id,
        "agent_name": agent or "",
        "trunk_name": trunk or "",
        "started_at": call.started_at,
        "answered_at": call.answered_at,
        "connected_at": call.connected_at,
        "ended_at": call.ended_at,
        "outcome": call.outcome,
        "cause": call.cause,
        "hung_up_by": call.hung_up_by,
        "wait_ms": call.wait_ms,
        "talk_s": call.talk_s,
        "hold_s": call.hold_s,
        "mos": call.mos,
        "disposition": disposition_of(disposition),
        "note": call.note,
    }


def _parties(session: Session, actor: Actor, call_id: str) -> list[dict[str, Any]]:
    """Who else was in the call, and where it was given to."""
    names = {u.id: u.name for u in session.scalars(select(User))}
    rows = session.scalars(select(CallParty).where(CallParty.call_id == call_id).order_by(CallParty.called_at))
    return [
        {
            "role": p.role,
            "name": names.get(p.user_id, "") if p.user_id is not None else "",
            "number": numbers.shown(p.number, actor) if p.number else "",
            "by": names.get(p.by_user, "") if p.by_user is not None else "",
            "called_at": p.called_at,
            "answered_at": p.answered_at,
            "left_at": p.left_at,
            "outcome": p.outcome,
        }
        for p in rows
    ]


def _talks(session: Session, call_id: str) -> list[dict[str, Any]]:
    """Which agent talked how long, by time; nothing before the call has ended."""
    names = {u.id: u.name for u in session.scalars(select(User))}
    rows = session.scalars(select(CallTalk).where(CallTalk.call_id == call_id).order_by(CallTalk.began_at))
    return [
        {"name": names.get(t.user_id, ""), "role": t.role, "began_at": t.began_at, "talk_s": t.talk_s} for t in rows
    ]


def _timeline(session: Session, call_id: str) -> list[dict[str, Any]]:
    """What happened in the call, in order: type, at, what it says, and who."""
    names = {u.id: u.name for u in session.scalars(select(User))}
    facts = session.scalars(select(FactRow).where(FactRow.call_id == call_id).order_by(FactRow.at, FactRow.id))
    out = []
    for fact in facts:
        body = fact.body
        who = body.get("agent_id", body.get("user_id"))
        out.append(
            {
                "type": fact.type,
                "at": fact.at,
                "who": names.get(who, "") if isinstance(who, int) else "",
                "state": body.get("state", ""),
                "params": {k: v for k, v in body.items() if k in _TOLD and v not in (None, "")},
            }
        )
    return out
