"""Facts → rows: stays in queues, ringing at agents, kept places, messages. Only the recorder calls this (`cdr.fold`).

These come by a few a second; each is one statement, in order, as a call may enter the same queue twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from callcenter.calls import facts as f
from callcenter.calls.models import Call, CallOffer, CallQueueStay, QueueCallback
from callcenter.clock import to_utc
from callcenter.events.envelope import Envelope


def fold(session: Session, told: Sequence[tuple[Envelope, object]]) -> None:
    """Apply these facts; others are not ours."""
    for envelope, fact in told:
        match fact:
            case f.CallQueued() | f.CallLeftQueue():
                _stay(session, envelope, fact)
            case f.CallOffered() | f.OfferEnded():
                _offer(session, envelope, fact)
            case f.CallbackKept() | f.CallbackTicketEnded():
                _kept(session, envelope, fact)
            case f.VoicemailLeft():
                # A caller who hung up while he spoke: his message is closed after the call's end.
                session.execute(
                    update(Call).where(Call.id == fact.call_id, Call.outcome == "abandoned").values(outcome="voicemail")
                )


def _stay(session: Session, envelope: Envelope, fact: f.CallQueued | f.CallLeftQueue) -> None:
    if isinstance(fact, f.CallQueued):
        values = {
            "tenant_id": envelope.tenant, "id": envelope.id, "call_id": fact.call_id, "queue_id": fact.queue_id,
            "phone_e164": fact.phone_e164, "priority": fact.priority, "since": to_utc(fact.since),
            "entered_at": to_utc(fact.at),
        }  # fmt: skip
        session.execute(insert(CallQueueStay).values(values).on_conflict_do_nothing())
        session.execute(update(Call).where(Call.id == fact.call_id).values(queue_id=fact.queue_id))
        return
    newest = (
        select(CallQueueStay.id)
        .where(
            CallQueueStay.call_id == fact.call_id, CallQueueStay.queue_id == fact.queue_id,
            CallQueueStay.left_at.is_(None),
        )
        .order_by(CallQueueStay.entered_at)
        .limit(1)
        .scalar_subquery()
    )  # fmt: skip
    session.execute(
        update(CallQueueStay)
        .where(CallQueueStay.id == newest)
        .values(
            left_at=to_utc(fact.at), how=fact.how, wait_s=fact.wait_s, answered_in_target=fact.answered_in_target,
            agent_id=fact.agent_id,
        )
    )  # fmt: skip


def _offer(session: Session, envelope: Envelope, fact: f.CallOffered | f.OfferEnded) -> None:
    if isinstance(fact, f.CallOffered):
        values = {
            "tenant_id": envelope.tenant, "id": envelope.id, "call_id": fact.call_id, "queue_id": fact.queue_id,
            "agent_id": fact.agent_id, "offered_at": to_utc(fact.at),
        }  # fmt: skip
        session.execute(insert(CallOffer).values(values).on_conflict_do_nothing())
        return
    session.execute(
        update(CallOffer)
        .where(
            CallOffer.call_id == fact.call_id, CallOffer.agent_id == fact.agent_id, CallOffer.ended_at.is_(None),
            CallOffer.offered_at <= to_utc(fact.at),
        )
        .values(ended_at=to_utc(fact.at), how=fact.how, rang_s=fact.rang_s)
    )  # fmt: skip


def _kept(session: Session, envelope: Envelope, fact: f.CallbackKept | f.CallbackTicketEnded) -> None:
    if isinstance(fact, f.CallbackKept):
        values = {
            "tenant_id": envelope.tenant, "id": fact.ticket_id, "call_id": fact.call_id, "queue_id": fact.queue_id,
            "phone_e164": fact.number, "kept_at": to_utc(fact.at), "expires_at": to_utc(fact.expires_at),
        }  # fmt: skip
        session.execute(insert(QueueCallback).values(values).on_conflict_do_nothing())
        return
    session.execute(
        update(QueueCallback)
        .where(QueueCallback.id == fact.ticket_id)
        .values(ended_at=to_utc(fact.at), how=fact.how, dialed_call_id=fact.call_id)
    )
