"""What facts make of tables: the CDRs, leads, customers, figures and recordings, in the recorder's transaction.

Calls begin and end by the hundred a second, nearly all of them without a conversation, so that these are folded many at
a time. What agents do comes by ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import case, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.auth.models import User
from callcenter.calls import cdr
from callcenter.calls import facts as f
from callcenter.calls.models import Call
from callcenter.clock import to_utc
from callcenter.events.envelope import FACTS, Envelope, UnknownMessage
from crm.actions import outcomes, task_folding
from crm.actions.callbacks import CallbackState
from crm.actions.customers import customer_of_lead
from crm.models import Callback, Lead, LeadStatus
from dialer.models import Campaign, CampaignDay, Refusal
from ivr import figures as menus
from smsgateway.sending import menu_texts

Told = tuple[Envelope, object]


class Unfoldable(Exception):
    """A fact refers to what is not there, or can't be read; `__cause__` says what."""


class Follows(Protocol):
    """Where it is noted what is to be done after the commit: figures of `campaigns` to publish, ids of recordings that
    are `closed`."""

    campaigns: set[int]
    closed: list[str]


def unpack(envelope: Envelope) -> object:
    """The fact inside. Raises Unfoldable."""
    try:
        return FACTS.unpack(envelope)
    except (UnknownMessage, msgspec.ValidationError) as error:
        raise Unfoldable(str(error)) from error


def rounds(told: list[Told]) -> Iterator[list[Told]]:
    """The facts in order, cut before a lead's second call begins: in each part a lead has one call at most, so that
    many calls can be folded step by step together, as if one after the other."""
    part: list[Told] = []
    leads: set[int] = set()
    for envelope, fact in told:
        lead = getattr(fact, "lead_id", None)
        if isinstance(fact, f.CallStarted) and lead in leads:
            yield part
            part, leads = [], set()
        if lead is not None:
            leads.add(lead)
        part.append((envelope, fact))
    yield part


def fold_round(session: Session, told: list[Told], zone: ZoneInfo, follows: Follows) -> None:
    """Rows first, in few statements; then what follows from them for leads and customers. A call's second end (from the
    reconciler, say, for one that was only slow) corrects its row and counts no more."""
    first = _not_ended(session, cdr.of(f.CallEnded, told))
    cdr.fold(session, told)
    for connected in cdr.of(f.CallConnected, told):
        _make_customer(session, connected)
    started, ended = cdr.of(f.CallStarted, told), cdr.of(f.CallEnded, told)
    _count(session, started, first, zone, follows)
    _end_leads(session, ended)
    for envelope, fact in told:
        _fold(session, envelope, fact, follows)
    menus.fold(session, told, zone)
    _fold_tasks(session, told, first)


def _fold_tasks(session: Session, told: list[Told], first: list[f.CallEnded]) -> None:
    """Messages and missed callers become tasks; who is spoken with has none left from before."""
    ends = {id(fact) for fact in first}
    connected: list[f.CallConnected] = []
    changed = 0
    for _, fact in told:
        match fact:
            case f.CallConnected():
                connected.append(fact)
            case f.VoicemailLeft():
                changed += task_folding.contacts_made(session, connected) + 1
                connected = []
                task_folding.voicemail_left(session, fact)
            case f.CallEnded() if id(fact) in ends and task_folding.is_missed(fact):
                changed += task_folding.contacts_made(session, connected)
                connected = []
                changed += task_folding.call_missed(session, fact) is not None
    changed += task_folding.contacts_made(session, connected)
    if changed:
        task_folding.changed(session)


def _fold(session: Session, envelope: Envelope, fact: object, follows: Follows) -> None:
    match fact:
        case f.CallDispositioned():
            outcomes.lead_dispositioned(
                session,
                actor=_actor(session, fact.agent_id),
                call_id=fact.call_id,
                lead_id=fact.lead_id,
                customer_id=_customer_of(session, fact.call_id) or fact.customer_id,
                phone_e164=fact.phone_e164,
                disposition_id=fact.disposition_id,
                note=fact.note,
                callback_at=to_utc(fact.callback_at) if fact.callback_at is not None else None,
                callback_mine=fact.callback_mine,
                campaign_id=fact.campaign_id,
                at=to_utc(envelope.at),
            )
        case f.CallWrappedUp(owed=True):
            _no_outcome(session, fact)
        case f.LeadReturned():
            session.execute(
                update(Lead)
                .where(Lead.id == fact.lead_id, Lead.status == LeadStatus.IN_PROGRESS.value)
                .values(status=undialed_status(), next_at=to_utc(fact.retry_at) if fact.retry_at else Lead.next_at)
            )
        case f.LeadRefused():
            _refused(session, envelope, fact)
        case f.RecordingClosed():
            follows.closed.append(fact.recording_id)
        case f.TextAsked():
            menu_texts.send(session, int(session.info["tenant_id"]), fact)


def _no_outcome(session: Session, fact: f.CallWrappedUp) -> None:
    """A closed browser, a time-out, a supervisor's hand: the outcome that was owed will not come. One that the call has
    already, of this agent or of who had the call after him, stays."""
    call = session.get(Call, fact.call_id, populate_existing=True)
    if call is None or call.disposition_id is not None or call.agent_id not in (None, fact.agent_id):
        return
    call.disposition_id = outcomes.no_outcome_given(
        session, call_id=call.id, lead_id=call.lead_id, campaign_id=call.campaign_id, at=to_utc(fact.at)
    )
    session.flush()


def _not_ended(session: Session, ended: list[f.CallEnded]) -> list[f.CallEnded]:
    """Those of `ended` whose call had no end before, each call once."""
    if not ended:
        return []
    query = select(Call.id).where(Call.id.in_([e.call_id for e in ended]), Call.ended_at.is_not(None))
    before = set(session.scalars(query))
    return [e for e in {e.call_id: e for e in ended}.values() if e.call_id not in before]


def undialed_status() -> Any:
    """What a lead is again that was taken and not dialed."""
    promised = exists().where(Callback.lead_id == Lead.id, Callback.state == CallbackState.OPEN.value)
    return case(
        (promised, LeadStatus.CALLBACK.value),
        (Lead.attempts > 0, LeadStatus.RETRY.value),
        else_=LeadStatus.NEW.value,
    )


def _refused(session: Session, envelope: Envelope, fact: f.LeadRefused) -> None:
    session.execute(
        insert(Refusal)
        .values(
            tenant_id=envelope.tenant, fact_id=envelope.id, campaign_id=fact.campaign_id, lead_id=fact.lead_id,
            phone_e164=fact.phone_e164, rule=fact.rule, detail=fact.detail,
        )
        .on_conflict_do_nothing()
    )  # fmt: skip
    values: dict[str, Any] = {"status": LeadStatus.BLOCKED.value}
    if fact.retry_at is not None:
        values = {"status": undialed_status(), "next_at": to_utc(fact.retry_at)}
    session.execute(
        update(Lead).where(Lead.id == fact.lead_id, Lead.status == LeadStatus.IN_PROGRESS.value).values(**values)
    )


def _end_leads(session: Session, ended: list[f.CallEnded]) -> None:
    """The leads of calls that have ended; the rules of each by its campaign."""
    calls = []
    for fact in ended:
        if fact.lead_id is not None:
            campaign = session.get(Campaign, fact.campaign_id) if fact.campaign_id is not None else None
            at = to_utc(fact.ended_at)
            calls.append(outcomes.Ended(fact.lead_id, fact.call_id, at, fact.outcome, fact.cause, campaign))
    if calls:
        outcomes.leads_attempted(session, calls)


def _count(
    session: Session, started: list[f.CallStarted], ended: list[f.CallEnded], zone: ZoneInfo, follows: Follows
) -> None:
    """The campaigns' figures by day of the call's beginning."""
    days: dict[tuple[int, date], Counter[str]] = defaultdict(Counter)
    calls: list[f.CallStarted | f.CallEnded] = [*started, *ended]
    for fact in calls:
        if fact.campaign_id is None:
            continue
        of_day = days[fact.campaign_id, to_utc(fact.started_at).astimezone(zone).date()]
        if isinstance(fact, f.CallStarted):
            of_day["placed"] += 1
        else:
            of_day["answered"] += fact.answered_at is not None
            of_day["connected"] += fact.outcome == "connected"
            of_day["abandoned"] += fact.outcome == "abandoned"
    for (campaign, day), by in days.items():
        if session.get(Campaign, campaign) is None:
            continue
        follows.campaigns.add(campaign)
        statement = insert(CampaignDay).values(tenant_id=session.info["tenant_id"], campaign_id=campaign, day=day, **by)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=[CampaignDay.campaign_id, CampaignDay.day],
                set_={name: getattr(CampaignDay, name) + n for name, n in by.items()},
            )
        )


def _make_customer(session: Session, fact: f.CallConnected) -> None:
    """The first conversation makes a lead a customer."""
    lead_id = session.scalars(select(Call.lead_id).where(Call.id == fact.call_id)).one_or_none()
    if lead_id is None:
        return
    customer = customer_of_lead(session, _actor(session, fact.agent_id), lead_id)
    session.flush()
    session.execute(update(Call).where(Call.id == fact.call_id).values(customer_id=customer.id))


def _customer_of(session: Session, call_id: str) -> int | None:
    return session.scalars(select(Call.customer_id).where(Call.id == call_id)).one_or_none()


def _actor(session: Session, user_id: int | None) -> Actor:
    name = session.scalars(select(User.name).where(User.id == user_id)).one_or_none() if user_id else None
    return Actor(int(session.info["tenant_id"]), user_id if name else None, name or "dialer")
