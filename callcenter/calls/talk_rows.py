"""Facts → rows of `call_talk`: who talked how long in a call that has ended. Only the recorder calls this.

The rows of a call are made anew at each of its ends (there is but one, unless the reconciler was too early), from the
rows of agents' states and parties that its facts have made by then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from callcenter.calls import facts as f
from callcenter.calls.call import PartyRole
from callcenter.calls.models import AgentStateRow, Call, CallParty, CallTalk
from callcenter.calls.talk import Guest, Stay, parts
from callcenter.events.envelope import Envelope

TALKS = (PartyRole.TALK.value, PartyRole.CONSULT.value)


def fold(session: Session, told: Sequence[tuple[Envelope, object]]) -> None:
    """Apply the ends of conversations; other facts are not ours."""
    ids = list({x.call_id for _, x in told if isinstance(x, f.CallEnded) and x.connected_at is not None})
    if not ids:
        return
    stays: dict[str, list[Stay]] = defaultdict(list)
    states = select(AgentStateRow).where(AgentStateRow.call_id.in_(ids), AgentStateRow.state == "on_call")
    for state in session.scalars(states.order_by(AgentStateRow.started_at)):
        stays[state.call_id or ""].append(Stay(state.user_id, state.started_at, state.ended_at))
    guests: dict[str, list[Guest]] = defaultdict(list)
    parties = select(CallParty).where(
        CallParty.call_id.in_(ids), CallParty.role.in_(TALKS), CallParty.user_id.is_not(None)
    )
    for party in session.scalars(parties):
        if party.user_id is not None and party.answered_at is not None and party.left_at is not None:
            guests[party.call_id].append(Guest(party.user_id, party.answered_at, party.left_at))
    rows: list[dict[str, Any]] = []
    calls = select(Call.id, Call.connected_at, Call.ended_at, Call.agent_id).where(Call.id.in_(ids))
    for call_id, connected_at, ended_at, agent_id in session.execute(calls):
        if connected_at is None or ended_at is None:
            continue
        rows += [
            {
                "tenant_id": session.info["tenant_id"],
                "id": f"{call_id}/{part.user_id}/{part.began_at.timestamp():.3f}", "call_id": call_id,
                "user_id": part.user_id, "role": part.role.value, "began_at": part.began_at,
                "ended_at": part.ended_at, "talk_s": part.talk_s,
            }
            for part in parts(connected_at, ended_at, agent_id, stays[call_id], guests[call_id])
        ]  # fmt: skip
    session.execute(delete(CallTalk).where(CallTalk.call_id.in_(ids)))
    if rows:
        session.execute(insert(CallTalk).on_conflict_do_nothing(), rows)
