"""Folds the end of a call and the agent's disposition into lead, call-back, blacklist and customer.

Called by the recorder in its transaction, at least once and in any order: each fold leaves its mark (the attempt's row,
the call-back and the follow-up unique by call) and changes nothing when it comes again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.db.outbox import settings_changed, tell
from crm import recycling
from crm.actions.blacklist import tell_listed
from crm.actions.callbacks import CallbackState
from crm.actions.customers import customer_of_lead, find_by_phone, make_customer
from crm.models import (
    NO_OUTCOME,
    BlacklistEntry,
    Callback,
    Customer,
    Disposition,
    FollowUp,
    Lead,
    LeadAttempt,
    LeadStatus,
)


class CampaignRules(Protocol):
    """What is needed of a campaign (a `dialer.models.Campaign` is one)."""

    id: int
    max_attempts: int
    recycling: dict[str, Any]


_KEPT = (LeadStatus.BLOCKED, LeadStatus.DEAD)


@dataclass(frozen=True)
class Ended:
    """A call to a lead that has ended (`at`, UTC) with `outcome`. Without a campaign (click to call) the defaults
    decide."""

    lead_id: int
    call_id: str
    at: datetime
    outcome: str
    cause: str
    campaign: CampaignRules | None


def lead_attempted(
    session: Session,
    *,
    lead_id: int,
    call_id: str,
    at: datetime,
    outcome: str,
    cause: str,
    campaign: CampaignRules | None,
) -> None:
    """`leads_attempted` for one call."""
    leads_attempted(session, [Ended(lead_id, call_id, at, outcome, cause, campaign)])


def leads_attempted(session: Session, calls: Sequence[Ended]) -> None:
    """Calls to leads have ended, in this order. Counts each try once per `call_id`, whatever comes twice.

    A lead that is gone is passed over. However many calls there are, the statements are the same few: an engine ends
    hundreds a second.
    """
    ids = {call.lead_id for call in calls}
    found = select(Lead).where(Lead.id.in_(ids)).order_by(Lead.id).with_for_update()
    leads = {lead.id: lead for lead in session.scalars(found.execution_options(populate_existing=True))}
    known = select(LeadAttempt).where(LeadAttempt.call_id.in_([c.call_id for c in calls]))
    attempts = {attempt.call_id: attempt for attempt in session.scalars(known)}
    of_leads = select(LeadAttempt.lead_id, LeadAttempt.outcome, func.count()).where(LeadAttempt.lead_id.in_(ids))
    grouped = session.execute(of_leads.group_by(LeadAttempt.lead_id, LeadAttempt.outcome))
    alike = Counter({(lead_id, outcome): int(n) for lead_id, outcome, n in grouped})
    opened = select(Callback).where(Callback.lead_id.in_(ids), Callback.state == CallbackState.OPEN)
    callbacks: dict[int, list[Callback]] = defaultdict(list)
    for callback in session.scalars(opened.order_by(Callback.due_at)):
        callbacks[callback.lead_id or 0].append(callback)
    for call in calls:
        lead = leads.get(call.lead_id)
        if lead is None:
            continue
        campaign_id = call.campaign.id if call.campaign is not None else None
        attempt = attempts.get(call.call_id) or _new_attempt(lead, call.call_id, call.at, campaign_id)
        if call.call_id not in attempts:
            session.add(attempt)
            attempts[call.call_id] = attempt
        if attempt.outcome:
            continue
        alike[lead.id, call.outcome] += 1
        still = callbacks[lead.id]
        if call.outcome == recycling.CONNECTED:
            for kept in [c for c in still if c.due_at <= call.at and c.call_id != call.call_id]:
                kept.state = CallbackState.DONE
                still.remove(kept)
        _fold_end(
            lead, attempt, call, alike[lead.id, call.outcome], next((c for c in still if c.due_at > call.at), None)
        )
    session.flush()


def _fold_end(lead: Lead, attempt: LeadAttempt, call: Ended, alike: int, promised: Callback | None) -> None:
    """One ended call into its lead; `alike` counts the lead's tries with this outcome, this one included; `promised` is
    the next call-back that is still to come."""
    rules = dict(call.campaign.recycling) if call.campaign is not None else {}
    counted = call.outcome == recycling.CONNECTED or recycling.rule_for(call.outcome, rules).counts
    attempt.outcome, attempt.cause, attempt.counted, attempt.at = call.outcome, call.cause, counted, call.at
    newest = lead.last_attempt_at is None or call.at >= lead.last_attempt_at
    lead.attempts += int(counted)
    if newest:
        lead.last_attempt_at, lead.last_outcome = call.at, call.outcome
    if not newest or attempt.disposition_id is not None or lead.status in _KEPT:
        return  # a later try, the agent, or a block has decided already
    if promised is not None:
        lead.status, lead.next_at = LeadStatus.CALLBACK, promised.due_at
        return
    # A connected lead waits here for its disposition: finished, if none comes.
    after = recycling.after_attempt(
        outcome=call.outcome,
        attempts=lead.attempts,
        same_outcome=alike,
        max_attempts=call.campaign.max_attempts if call.campaign is not None else 0,
        recycling=rules,
        now=call.at,
    )
    lead.status, lead.next_at = after.status, after.next_at


def lead_dispositioned(
    session: Session,
    *,
    actor: Actor,
    call_id: str,
    lead_id: int | None,
    customer_id: int | None,
    phone_e164: str,
    disposition_id: int,
    note: str,
    callback_at: datetime | None,
    callback_mine: bool,
    campaign_id: int | None,
    at: datetime,
) -> None:
    """The agent has said how the conversation of `call_id` went. Once per call: a later disposition of the same call
    replaces what the former decided for the lead, the same one again changes nothing."""
    disposition = session.get(Disposition, disposition_id)
    if disposition is None:
        return
    lead = session.get(Lead, lead_id, with_for_update=True) if lead_id is not None else None
    customer = _customer(session, actor, lead, customer_id, phone_e164, disposition)
    promised = callback_at if disposition.callback or callback_at is not None else None
    if lead is not None:
        attempt = _attempt(session, lead, call_id, at, campaign_id)
        repeated = attempt.disposition_id == disposition_id
        attempt.disposition_id = disposition_id
        session.flush()
        if not repeated:
            _recycle(session, lead, disposition, promised, at)
    if promised is not None:
        _promise(session, actor, call_id, lead, customer, campaign_id, promised, callback_mine, note)
    if disposition.do_not_call and phone_e164:
        block(session, actor, phone_e164, source="disposition")
    if customer is not None and note.strip():
        values = {
            "tenant_id": actor.tenant_id, "customer_id": customer.id, "user_id": actor.user_id, "call_id": call_id,
            "text": note.strip(),
        }  # fmt: skip
        session.execute(insert(FollowUp).values(values).on_conflict_do_nothing(index_elements=["call_id"]))


def no_outcome_given(
    session: Session, *, call_id: str, lead_id: int | None, campaign_id: int | None, at: datetime
) -> int | None:
    """The agent owed the outcome of `call_id` and gave none: the lead comes again by the rule of the system disposition
    for that, whose id is returned; None if the enterprise has disabled it. No customer is made of it."""
    wanted = select(Disposition).where(Disposition.code == NO_OUTCOME, Disposition.system, Disposition.enabled)
    disposition = session.scalars(wanted).one_or_none()
    if disposition is None:
        return None
    lead = session.get(Lead, lead_id, with_for_update=True) if lead_id is not None else None
    if lead is not None:
        attempt = _attempt(session, lead, call_id, at, campaign_id)
        if attempt.disposition_id is None:
            attempt.disposition_id = disposition.id
            session.flush()
            _recycle(session, lead, disposition, None, at)
    return disposition.id


def block(session: Session, actor: Actor, phone_e164: str, *, source: str, reason: str = "") -> None:
    """Put a number on the blacklist, or enable its entry again. Harmless when repeated."""
    entry = session.scalar(select(BlacklistEntry).where(BlacklistEntry.phone_e164 == phone_e164))
    if entry is not None and entry.enabled:
        return
    if entry is None:
        values = {
            "tenant_id": actor.tenant_id, "phone_e164": phone_e164, "source": source, "reason": reason,
            "created_by": actor.user_id,
        }  # fmt: skip
        statement = insert(BlacklistEntry).values(values)
        session.execute(statement.on_conflict_do_nothing(index_elements=["tenant_id", "phone_e164"]))
    else:
        entry.enabled = True
        session.flush()
    record(session, actor, "create", "blacklist", phone_e164, name=phone_e164, after={"source": source})
    settings_changed(session, "blacklist", 0)
    tell_listed(session, [phone_e164])


def _attempt(session: Session, lead: Lead, call_id: str, at: datetime, campaign_id: int | None) -> LeadAttempt:
    """The row of this try; made by whichever of end and disposition comes first."""
    attempt = session.get(LeadAttempt, call_id)
    if attempt is None:
        attempt = _new_attempt(lead, call_id, at, campaign_id)
        session.add(attempt)
        session.flush()
    return attempt


def _new_attempt(lead: Lead, call_id: str, at: datetime, campaign_id: int | None) -> LeadAttempt:
    return LeadAttempt(call_id=call_id, lead_id=lead.id, campaign_id=campaign_id, at=at, outcome="", counted=False)


def _tries(session: Session, lead_id: int, *conditions: Any) -> int:
    return (
        session.scalar(select(func.count()).select_from(LeadAttempt).where(LeadAttempt.lead_id == lead_id, *conditions))
        or 0
    )


def _recycle(
    session: Session,
    lead: Lead,
    disposition: Disposition,
    callback_at: datetime | None,
    at: datetime,
) -> None:
    rule = recycling.DispositionRule(
        do_not_call=disposition.do_not_call,
        wrong_number=disposition.wrong_number,
        final=disposition.final,
        retry_after_s=disposition.retry_after_s,
        max_tries=disposition.max_tries,
    )
    if disposition.wrong_number and lead.alt_phones:
        # The wrong number goes; the next of the person's phones takes its place, unless the list holds it already.
        taken = select(Lead.phone_e164).where(Lead.list_id == lead.list_id, Lead.phone_e164.in_(lead.alt_phones))
        known = set(session.scalars(taken))
        free = [p for p in lead.alt_phones if p not in known]
        if free:
            lead.phone_e164, lead.alt_phones = free[0], [p for p in lead.alt_phones if p != free[0]]
            after = recycling.Next(LeadStatus.RETRY, at)
        else:
            after = recycling.Next(LeadStatus.DEAD)
    else:
        after = recycling.after_disposition(
            rule,
            same_disposition=_tries(session, lead.id, LeadAttempt.disposition_id == disposition.id),
            callback_at=callback_at,
            now=at,
        )
    lead.status, lead.next_at, lead.last_disposition_id = after.status, after.next_at, disposition.id
    session.flush()


def _customer(
    session: Session,
    actor: Actor,
    lead: Lead | None,
    customer_id: int | None,
    phone_e164: str,
    disposition: Disposition,
) -> Customer | None:
    """The customer of the conversation: by id, of the lead, by number; none after a wrong number."""
    if customer_id is not None:
        found = session.get(Customer, customer_id)
        if found is not None:
            return found
    if not disposition.human or disposition.wrong_number:
        return None
    if lead is not None:
        return customer_of_lead(session, actor, lead.id)
    if not phone_e164:
        return None  # the number was withheld: nothing says that two such callers are the same
    return find_by_phone(session, [phone_e164]) or make_customer(session, actor, phones=[phone_e164], source="call")


def _promise(
    session: Session,
    actor: Actor,
    call_id: str,
    lead: Lead | None,
    customer: Customer | None,
    campaign_id: int | None,
    due_at: datetime,
    mine: bool,
    note: str,
) -> None:
    values = {
        "tenant_id": actor.tenant_id,
        "call_id": call_id,
        "lead_id": lead.id if lead is not None else None,
        "customer_id": customer.id if customer is not None else None,
        "campaign_id": campaign_id,
        "user_id": actor.user_id if mine else None,
        "due_at": due_at,
        "note": note,
        "state": CallbackState.OPEN.value,
    }
    made = session.scalar(
        insert(Callback).values(values).on_conflict_do_nothing(index_elements=["call_id"]).returning(Callback.id)
    )
    if made is not None:
        record(session, actor, "create", "callback", made, after={"due_at": due_at, "call_id": call_id})
        payload = {"id": made, "user_id": values["user_id"], "state": values["state"], "due_at": due_at.isoformat()}
        tell(session, "live", topic="callbacks", payload=payload)
