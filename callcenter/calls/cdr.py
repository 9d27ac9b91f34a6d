"""Facts → rows: the CDR, the agents' states, the recordings. Only the recorder calls this.

Every fold may be repeated: a fact's row id is the fact's own, and a later fact of a call carries all that an earlier
one said. Calls come by the hundred a second, so each kind of fact takes one statement however many there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

from sqlalchemy import Table, bindparam, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from callcenter.calls import facts as f
from callcenter.calls import party_rows, talk_rows, waiting
from callcenter.calls.models import AgentStateRow, Call, Recording
from callcenter.clock import to_utc
from callcenter.db.base import Base
from callcenter.events.envelope import Envelope

F = TypeVar("F")
Row = Mapping[str, Any]


def of(kind: type[F], told: Sequence[tuple[Envelope, object]]) -> list[F]:
    """The facts of one kind, in their order."""
    return [fact for _, fact in told if isinstance(fact, kind)]


def fold(session: Session, told: Sequence[tuple[Envelope, object]]) -> None:
    """Apply facts of calls, agents and recordings, in which each call occurs with one life of it; others are not
    ours."""
    tenant = session.info["tenant_id"]
    if started := of(f.CallStarted, told):
        session.execute(insert(Call).on_conflict_do_nothing(), [_begin(tenant, c) for c in started])
    _update(
        session, Call, "id",
        [
            {"id": c.call_id, "agent_id": c.agent_id, "connected_at": to_utc(c.connected_at), "wait_ms": c.wait_ms}
            for c in of(f.CallConnected, told)
        ],
    )  # fmt: skip
    if ended := of(f.CallEnded, told):
        # One statement can't change a row twice: of the ends of one call (there is but one) the last counts.
        rows = list({c.call_id: {**_begin(tenant, c), **_end(c)} for c in ended}.values())
        statement = insert(Call)
        changes = {name: statement.excluded[name] for name in _end(ended[0])}
        session.execute(statement.on_conflict_do_update(index_elements=[Call.id], set_=changes), rows)
    dispositioned = of(f.CallDispositioned, told)
    _update(
        session, Call, "id",
        [{"id": c.call_id, "disposition_id": c.disposition_id, "note": c.note} for c in dispositioned],
    )  # fmt: skip
    identified = of(f.CallerIdentified, told)
    _update(session, Call, "id", [{"id": c.call_id, "customer_id": c.customer_id} for c in identified])
    wrapped_up = of(f.CallWrappedUp, told)
    _update(session, Call, "id", [{"id": c.call_id, "wrap_ended_at": to_utc(c.at)} for c in wrapped_up])
    _agent_states(session, [(e.id, s) for e, s in told if isinstance(s, f.AgentStateChanged)])
    _recordings(session, told)
    waiting.fold(session, told)
    party_rows.fold(session, told)
    talk_rows.fold(session, told)


def _begin(tenant: int, fact: f.CallStarted | f.CallEnded) -> dict[str, object]:
    """What a call's row has from its beginning."""
    return {
        "tenant_id": tenant, "id": fact.call_id, "mode": fact.mode, "campaign_id": fact.campaign_id,
        "lead_id": fact.lead_id, "customer_id": fact.customer_id, "agent_id": fact.agent_id,
        "trunk_id": fact.trunk_id, "phone_e164": fact.phone_e164, "caller_id": fact.caller_id,
        "started_at": to_utc(fact.started_at), "direction": fact.direction, "did": fact.did,
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
        "quality": fact.quality,
        "queue_id": fact.queue_id,
        "queue_wait_s": fact.queue_wait_s,
        "path": list(fact.path),
        "shown": fact.shown,
    }


def _agent_states(session: Session, states: Sequence[tuple[str, f.AgentStateChanged]]) -> None:
    """`states`: fact id and fact, in order. An agent's next state ends the one before."""
    rows: list[dict[str, object]] = []
    last: dict[int, dict[str, object]] = {}
    first: dict[int, f.AgentStateChanged] = {}
    for fact_id, fact in states:
        since = to_utc(fact.since)
        if fact.user_id in last:
            last[fact.user_id]["ended_at"] = since
        first.setdefault(fact.user_id, fact)
        last[fact.user_id] = {
            "tenant_id": session.info["tenant_id"], "id": fact_id, "user_id": fact.user_id, "state": fact.state,
            "reason": fact.reason, "call_id": fact.call_id, "started_at": since, "ended_at": None,
        }  # fmt: skip
        rows.append(last[fact.user_id])
    ends = [{"user_id": user, "ended_at": to_utc(fact.since)} for user, fact in first.items()]
    _update(session, AgentStateRow, "user_id", ends, open_only="ended_at")
    if rows:
        session.execute(insert(AgentStateRow).on_conflict_do_nothing(), rows)


def _recordings(session: Session, told: Sequence[tuple[Envelope, object]]) -> None:
    if started := of(f.RecordingStarted, told):
        rows = [
            {
                "tenant_id": session.info["tenant_id"], "id": r.recording_id, "call_id": r.call_id, "path": r.path,
                "started_at": to_utc(r.started_at),
            }
            for r in started
        ]  # fmt: skip
        session.execute(insert(Recording).on_conflict_do_nothing(), rows)
    for closed in of(f.RecordingClosed, told):
        session.execute(
            update(Recording)
            .where(Recording.id == closed.recording_id, Recording.state == "growing")
            .values(state="closed", seconds=closed.seconds, size_bytes=closed.size_bytes)
        )


def _update(session: Session, model: type[Base], key: str, rows: Sequence[Row], *, open_only: str = "") -> None:
    """Set each row's other columns where column `key` is as it says (and column `open_only` is NULL)."""
    if not rows:
        return
    table = cast(Table, model.__table__)
    statement = update(table).where(table.c[key] == bindparam("key_"))
    if open_only:
        statement = statement.where(table.c[open_only].is_(None))
    values: dict[str, Any] = {name: bindparam(f"{name}_") for name in rows[0] if name != key}
    named = [{("key_" if name == key else f"{name}_"): v for name, v in row.items()} for row in rows]
    session.connection().execute(statement.values(values), named)


def _instant(at: float | None) -> object:
    return None if at is None else to_utc(at)
