"""Facts → rows: the CDR, the agents' states, the recordings. Only the recorder calls this.

Every fold may be repeated: a fact's row id is the fact's own, and a later fact of a call carries all that an earlier
one said. Calls come by the hundred a second, so their begin, connection and end are folded many at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from callcenter.calls import facts as f
from callcenter.calls.models import AgentStateRow, Call, Recording
from callcenter.clock import to_utc
from callcenter.events.envelope import Envelope


def fold_calls(
    session: Session,
    started: Sequence[f.CallStarted],
    connected: Sequence[f.CallConnected],
    ended: Sequence[f.CallEnded],
) -> None:
    """Begin, connection and end of many calls, each kind in one statement."""
    tenant = session.info["tenant_id"]
    if started:
        session.execute(insert(Call).on_conflict_do_nothing(), [_begin(tenant, fact) for fact in started])
    if connected:
        session.connection().execute(
            update(Call.__table__)  # type: ignore[arg-type]
            .where(Call.id == bindparam("fact_call"))
            .values(agent_id=bindparam("agent"), connected_at=bindparam("at"), wait_ms=bindparam("wait")),
            [
                {"fact_call": c.call_id, "agent": c.agent_id, "at": to_utc(c.connected_at), "wait": c.wait_ms}
                for c in connected
            ],
        )
    if ended:
        # One statement can't change a row twice: of the ends of one call (there is but one) the last counts.
        rows = list({fact.call_id: {**_begin(tenant, fact), **_end(fact)} for fact in ended}.values())
        statement = insert(Call)
        changes = {name: statement.excluded[name] for name in _end(ended[0])}
        session.execute(statement.on_conflict_do_update(index_elements=[Call.id], set_=changes), rows)


def fold(session: Session, envelope: Envelope, fact: object) -> None:
    """Apply one fact of a call's aftermath, an agent or a recording; others are not ours."""
    match fact:
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


def _begin(tenant: int, fact: f.CallStarted | f.CallEnded) -> dict[str, object]:
    """What a call's row has from its beginning."""
    return {
        "tenant_id": tenant, "id": fact.call_id, "mode": fact.mode, "campaign_id": fact.campaign_id,
        "lead_id": fact.lead_id, "customer_id": fact.customer_id, "agent_id": fact.agent_id,
        "trunk_id": fact.trunk_id, "phone_e164": fact.phone_e164, "caller_id": fact.caller_id,
        "started_at": to_utc(fact.started_at),
    }  # fmt: skip


def _end(fact: f.CallEnded) -> dict[str, object]:
    """What the end adds or corrects."""
    return {
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
        "talk_s": round(fact.ended_at - fact.connected_at, 3) if fact.connected_at is not None else None,
        "hold_s": fact.hold_s,
        "mos": fact.mos,
    }


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
