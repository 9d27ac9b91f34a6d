"""Facts → rows of `call_party`: who else was in a call, and where its transfers went. Only the recorder calls this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from callcenter.calls import facts as f
from callcenter.calls.models import CallParty
from callcenter.clock import to_utc
from callcenter.events.envelope import Envelope


def fold(session: Session, told: Sequence[tuple[Envelope, object]]) -> None:
    """Apply the facts of parties and transfers; others are not ours. A fact may come twice, and a party's beginning
    after its end: what is known of the end stays."""
    tenant = session.info["tenant_id"]
    rows: dict[str, dict[str, Any]] = {}
    for _, fact in told:
        match fact:
            case f.PartyJoined():
                row = _row(tenant, fact, fact.at)
                rows.setdefault(row["id"], row)
            case f.PartyLeft():
                row = _row(tenant, fact, fact.since if fact.since is not None else fact.at)
                answered_at = to_utc(fact.answered_at) if fact.answered_at is not None else None
                rows[row["id"]] = {
                    **row, "answered_at": answered_at, "left_at": to_utc(fact.at), "outcome": fact.outcome,
                }  # fmt: skip
            case f.CallTransferred():
                row = _transfer(tenant, fact)
                rows[row["id"]] = row
    if not rows:
        return
    statement = insert(CallParty)
    new = statement.excluded
    changes = {
        "role": new.role,
        "answered_at": func.coalesce(new.answered_at, CallParty.answered_at),
        "left_at": func.coalesce(new.left_at, CallParty.left_at),
        "outcome": func.coalesce(func.nullif(new.outcome, ""), CallParty.outcome),
    }
    session.execute(statement.on_conflict_do_update(index_elements=[CallParty.id], set_=changes), list(rows.values()))


def _row(tenant: int, fact: f.PartyJoined | f.PartyLeft, called_at: float) -> dict[str, Any]:
    return {
        "tenant_id": tenant, "id": f"{fact.call_id}/{fact.party_key}/{called_at:.3f}", "call_id": fact.call_id,
        "party_key": fact.party_key, "role": fact.role, "user_id": fact.user_id, "number": fact.number,
        "by_user": fact.by_user, "called_at": to_utc(called_at), "answered_at": None, "left_at": None, "outcome": "",
    }  # fmt: skip


def _transfer(tenant: int, fact: f.CallTransferred) -> dict[str, Any]:
    where = fact.to_id if fact.to_id is not None else fact.to_number
    key = f"{fact.to_kind}:{where}"
    return {
        "tenant_id": tenant, "id": f"{fact.call_id}/transfer:{key}/{fact.at:.3f}", "call_id": fact.call_id,
        "party_key": key, "role": "transfer", "user_id": fact.to_id if fact.to_kind == "agent" else None,
        "number": fact.to_number, "by_user": fact.by_user, "called_at": to_utc(fact.at), "answered_at": None,
        "left_at": to_utc(fact.at), "outcome": fact.kind,
    }  # fmt: skip
