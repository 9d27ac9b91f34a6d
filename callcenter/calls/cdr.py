"""Facts → rows: the CDR, the agents' states, the recordings. Only the recorder calls this.

Every fold may be repeated: a fact's row id is the fact's own, and a later fact of a call carries all that an earlier
one said.
"""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from callcenter.calls import facts as f
from callcenter.calls.models import AgentStateRow, Call, Recording
from callcenter.clock import to_utc
from callcenter.events.envelope import Envelope


def fold(session: Session, envelope: Envelope, fact: object) -> None:
    """Apply one fact of a call, an agent or a recording; others are not ours."""
    match fact:
        case f.CallStarted():
            _started(session, fact)
        case f.CallConnected():
            session.execute(
                update(Call)
                .where(Call.id == fact.call_id)
                .values(agent_id=fact.agent_id, connected_at=to_utc(fact.connected_at), wait_ms=fact.wait_ms)
            )
        case f.CallEnded():
            _ended(session, fact)
        case f.CallWrappedUp():
            session.execute(update(Call).where(Call.id == fact.call_id).values(wrap_ended_at=to_utc(fact.at)))
        case f.CallDispositioned():
            session.execute(
                update(Call).where(Call.id == fact.call_id).values(disposition_id=fact.disposition_id, note=fact.note)
            )
        case f.AgentStateChanged():
            _agent_state(session, envelope.id, fact)
        case f.RecordingStarted():
            session.execute(
                insert(Recording)
                .values(
                    tenant_id=envelope.tenant, id=fact.recording_id, call_id=fact.call_id, path=fact.path,
                    started_at=to_utc(fact.started_at),
                )
                .on_conflict_do_nothing()
            )  # fmt: skip
        case f.RecordingClosed():
            session.execute(
                update(Recording)
                .where(Recording.id == fact.recording_id, Recording.state == "growing")
                .values(state="closed", seconds=fact.seconds, size_bytes=fact.size_bytes)
            )


def _started(session: Session, fact: f.CallStarted) -> None:
    session.execute(
        insert(Call)
        .values(
            tenant_id=session.info["tenant_id"], id=fact.call_id, mode=fact.mode, campaign_id=fact.campaign_id,
            lead_id=fact.lead_id, customer_id=fact.customer_id, agent_id=fact.agent_id, trunk_id=fact.trunk_id,
            phone_e164=fact.phone_e164, caller_id=fact.caller_id, started_at=to_utc(fact.started_at),
        )
        .on_conflict_do_nothing()
    )  # fmt: skip


def _ended(session: Session, fact: f.CallEnded) -> None:
    talk_s = round(fact.ended_at - fact.connected_at, 3) if fact.connected_at is not None else None
    values = {
        "agent_id": fact.agent_id,
        "trunk_id": fact.trunk_id,
        "ringing_at": _instant(fact.ringing_at),
        "answered_at": _instant(fact.answered_at),
        "connected_at": _instant(fact.connected_at),
        "ended_at": to_utc(fact.ended_at),
        "outcome": fact.outcome,
        "cause": fact.cause,
        "sip_status": fact.sip_status,
        "hung_up_by": fact.hung_up_by,
        "wait_ms": fact.wait_ms,
        "talk_s": talk_s,
        "hold_s": fact.hold_s,
        "mos": fact.mos,
    }
    session.execute(
        insert(Call)
        .values(
            tenant_id=session.info["tenant_id"], id=fact.call_id, mode=fact.mode, campaign_id=fact.campaign_id,
            lead_id=fact.lead_id, customer_id=fact.customer_id, phone_e164=fact.phone_e164, caller_id=fact.caller_id,
            started_at=to_utc(fact.started_at), **values,
        )
        .on_conflict_do_update(index_elements=[Call.id], set_=values)
    )  # fmt: skip


def _agent_state(session: Session, fact_id: str, fact: f.AgentStateChanged) -> None:
    since = to_utc(fact.since)
    session.execute(
        update(AgentStateRow)
        .where(AgentStateRow.user_id == fact.user_id, AgentStateRow.ended_at.is_(None), AgentStateRow.id != fact_id)
        .values(ended_at=since)
    )
    session.execute(
        insert(AgentStateRow)
        .values(
            tenant_id=session.info["tenant_id"], id=fact_id, user_id=fact.user_id, state=fact.state,
            reason=fact.reason, call_id=fact.call_id, started_at=since,
        )
        .on_conflict_do_nothing()
    )  # fmt: skip


def _instant(at: float | None) -> object:
    return None if at is None else to_utc(at)
