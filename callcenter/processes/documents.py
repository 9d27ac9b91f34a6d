"""Settings as the engine reads them: rows → plain documents in Redis (`cfg:{tenant}`, field "entity:id")."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from callcenter import wire
from callcenter.acd.documents import queue_doc, skills_of
from callcenter.acd.models import Queue
from callcenter.auth.models import Role, User, UserRole
from callcenter.compliance.models import RuleSet
from callcenter.numbers.documents import calendar_doc, number_doc
from callcenter.numbers.models import CalendarRow, DidNumber
from callcenter.prompts import queries as prompts
from callcenter.prompts.models import Prompt
from callcenter.telephony.models import SipPhoneRow, TrunkRow
from callcenter.telephony.sip_phones import sip_phone_doc
from callcenter.tenancy.models import Enterprise
from crm.models import LeadList
from dialer.models import Campaign, CampaignAgent
from ivr import queries as menus
from ivr.models import FlowRow

Document = dict[str, Any]
Named = tuple[str, int, Document | None]


def changed(session: Session, entity: str, entity_id: int) -> Iterable[Named]:
    """The documents that a change of (entity, id) touches, None for one that is gone. An entity that the engine does
    not work by touches none."""
    match entity:
        case "campaign":
            return [("campaign", entity_id, _campaign(session, session.get(Campaign, entity_id)))]
        case "trunk":
            return [("trunk", entity_id, _trunk(session.get(TrunkRow, entity_id)))]
        case "user":
            phones = session.scalars(select(SipPhoneRow).where(SipPhoneRow.user_id == entity_id))
            return [
                ("user", entity_id, _user(session, session.get(User, entity_id))),
                *(("sip_phone", phone.id, sip_phone_doc(session, phone)) for phone in phones),
            ]
        case "sip_phone":
            return [("sip_phone", entity_id, sip_phone_doc(session, session.get(SipPhoneRow, entity_id)))]
        case "role":
            return [("user", u.id, _user(session, u)) for u in session.scalars(select(User))]
        case "rule_set" | "list" | "lead_list":
            return [*_enterprises(session), *_campaigns(session)]
        case "enterprise":
            return _enterprises(session)
        case "number":
            return [("number", entity_id, _number(session.get(DidNumber, entity_id)))]
        case "calendar":
            return [("calendar", entity_id, _calendar(session.get(CalendarRow, entity_id)))]
        case "prompt":
            return [("prompt", entity_id, prompts.document(session.get(Prompt, entity_id)))]
        case "queue":
            return [("queue", entity_id, _queue(session, session.get(Queue, entity_id)))]
        case "flow":
            return [("flow", entity_id, menus.document(session, entity_id))]
    return []


def everything(session: Session) -> Iterable[Named]:
    """All documents of the session's enterprise."""
    yield from _enterprises(session)
    for trunk in session.scalars(select(TrunkRow)):
        yield "trunk", trunk.id, _trunk(trunk)
    yield from _campaigns(session)
    for prompt in session.scalars(select(Prompt)):
        yield "prompt", prompt.id, prompts.document(prompt)
    for user in session.scalars(select(User)):
        yield "user", user.id, _user(session, user)
    for phone in session.scalars(select(SipPhoneRow)):
        doc = sip_phone_doc(session, phone)
        if doc is not None:
            yield "sip_phone", phone.id, doc
    for calendar in session.scalars(select(CalendarRow)):
        yield "calendar", calendar.id, _calendar(calendar)
    for number in session.scalars(select(DidNumber)):
        yield "number", number.id, _number(number)
    for queue in session.scalars(select(Queue)):
        yield "queue", queue.id, _queue(session, queue)
    for flow_id in session.scalars(select(FlowRow.id).where(FlowRow.published.is_not(None))):
        yield "flow", flow_id, menus.document(session, flow_id)


def _enterprises(session: Session) -> list[Named]:
    out: list[Named] = []
    for e in session.scalars(select(Enterprise).where(Enterprise.id == session.info["tenant_id"])):
        until: float | None = None
        if e.valid_until is not None:
            last = datetime.combine(e.valid_until, time(0), tzinfo=ZoneInfo(e.time_zone)) + timedelta(days=1)
            until = last.timestamp()
        doc = {
            "code": e.code, "name": e.name, "country": e.country, "time_zone": e.time_zone, "valid_until_s": until,
            "rules": _rules(_default_rules(session)),
        }  # fmt: skip
        out.append(("enterprise", e.id, doc))
    return out


def _campaigns(session: Session) -> Iterable[Named]:
    return [("campaign", c.id, _campaign(session, c)) for c in session.scalars(select(Campaign))]


def _campaign(session: Session, c: Campaign | None) -> Document | None:
    if c is None:
        return None
    names = (
        "id", "name", "mode", "state", "ratio", "abandon_cap", "patience_s", "ring_timeout_s", "wrap_up_s", "preview_s",
        "max_lines", "max_attempts", "caller_ids", "trunk_ids", "record", "language", "prompt_abandoned",
        "disposition_required", "script_id",
    )  # fmt: skip
    rule_set = session.get(RuleSet, c.rule_set_id) if c.rule_set_id else None
    agents = session.scalars(select(CampaignAgent.user_id).where(CampaignAgent.campaign_id == c.id))
    lists = session.scalar(
        select(func.count()).where(
            LeadList.campaign_id == c.id,
            LeadList.enabled,
            or_(LeadList.expires_at.is_(None), LeadList.expires_at > func.now()),
        )
    )
    return {
        **{n: getattr(c, n) for n in names},
        "agents": sorted(agents),
        "lists": int(lists or 0),
        "rules": _rules(rule_set or _default_rules(session)),
    }


def _default_rules(session: Session) -> RuleSet | None:
    return session.scalars(select(RuleSet).where(RuleSet.is_default).limit(1)).first()


def _rules(r: RuleSet | None) -> Document:
    if r is None:
        return {}
    names = ("windows", "holidays", "attempts_24h", "attempts_30d", "abandoned_lockout_h", "min_ring_s")
    return {n: getattr(r, n) for n in names}


def _trunk(t: TrunkRow | None) -> Document | None:
    if t is None:
        return None
    names = (
        "name", "enabled", "host", "port", "transport", "outbound_proxy", "username", "password", "from_domain",
        "register", "channels", "calls_per_second", "caller_ids", "prefixes", "strip_plus", "prepend", "priority",
        "cost", "codec", "options_every_s", "inbound", "inbound_auth", "inbound_username", "inbound_password",
        "inbound_sources", "inbound_channels", "inbound_calls_per_second",
    )  # fmt: skip
    return {n: getattr(t, n) for n in names}


def _user(session: Session, u: User | None) -> Document | None:
    if u is None:
        return None
    roles = session.scalars(
        select(Role.permissions)
        .join(UserRole, UserRole.role_id == Role.id)
        .where(UserRole.user_id == u.id, Role.enabled)
    )
    permissions = {p for role in roles for p in role}
    return {
        "name": u.name, "enabled": u.enabled, "agent": "desk.use" in permissions,
        "dials": "calls.dial" in permissions, "service_number": u.service_number,
        "skills": skills_of(session, [u.id]).get(u.id, {}), "voicemail_greeting": u.voicemail_greeting,
    }  # fmt: skip


def _queue(session: Session, row: Queue | None) -> Document | None:
    return None if row is None else wire.plain(queue_doc(session, row))


def _number(row: DidNumber | None) -> Document | None:
    return None if row is None else wire.plain(number_doc(row))


def _calendar(row: CalendarRow | None) -> Document | None:
    return None if row is None else wire.plain(calendar_doc(row))
