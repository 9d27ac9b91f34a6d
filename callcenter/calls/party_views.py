"""How a call with others in it is seen: by its agent, and by a colleague who is in it.

A layer of the floor (`hands.py` ← `party_views.py` ← `parties.py`).
"""

from __future__ import annotations

from dataclasses import replace

from callcenter.acd.agent import AgentState
from callcenter.acd.views import CallView, PartyView
from callcenter.calls.call import Call, Party, PartyRole
from callcenter.calls.hands import Hands
from callcenter.telephony import ports as p

CAUSES_TOLD = frozenset({"busy", "no_answer", "declined", "invalid", "no_line", "left", "lost"})


class Seen(Hands):
    """The views of calls and of those in them."""

    @staticmethod
    def _of_role(call: Call, role: PartyRole) -> list[Party]:
        return [q for q in call.parties.values() if q.role == role]

    def _view(self, call: Call, state: str, ended_at: float | None = None) -> CallView:
        view = super()._view(call, state, ended_at)
        if view.state == "held" and self._of_role(call, PartyRole.CONSULT):
            view = replace(view, state="consulting")
        ended = ended_at is not None
        can_record = ""
        if call.connected_at is not None and not ended and view.state not in ("offered", "ended"):
            if call.recording_id:
                can_record = "resume" if call.record_paused else "pause"
            elif call.record or call.on_demand:
                can_record = "start"
        return replace(
            view, parties=() if ended else tuple(shown(q) for q in call.parties.values() if not q.hidden),
            notice=call.notice, can_record=can_record, recording=view.recording and not call.record_paused,
        )  # fmt: skip

    def _show(self, call: Call, state: str = "talking") -> None:
        super()._show(call, state)
        for party in call.parties.values():
            agent = self.team.agents.get(party.user_id or 0)
            if agent is None or agent.state is not AgentState.ON_CALL or party.state != "talking" or agent.call is None:
                continue
            if agent.call.call_id == call.call_id:
                self.team.show_call(agent, self._view_of(call, party))

    def _view_of(self, call: Call, party: Party) -> CallView:
        """The call as a colleague in it sees it."""
        others = [shown(q) for q in call.parties.values() if q.key != party.key and not q.hidden]
        first = self.team.agents.get(call.agent_id or 0)
        if first is not None:
            role = PartyRole.TALK.value
            key = agent_key(first.user_id)
            others.insert(0, PartyView(key, role, "talking", call.state_since, first.user_id, first.name))
        state = "consulting" if party.role == PartyRole.CONSULT else "talking"
        return replace(self._view(call, state), state=state, parties=tuple(others), notice={}, can_record="")


def agent_key(user_id: int) -> str:
    """A colleague's key among a call's parties."""
    return f"agent:{user_id}"


def shown(party: Party) -> PartyView:
    """A party as the agent sees it."""
    state = "talking" if party.state == "talking" else "ringing"
    return PartyView(party.key, party.role, state, party.since, party.user_id, party.name, party.number)


def notice(party: Party, outcome: str, now: float) -> dict[str, object]:
    """`CallView.notice` about a party that is gone."""
    told = outcome if outcome in CAUSES_TOLD else "failed"
    return {"code": f"party_{told}", "name": party.name, "number": party.number, "at": now}


def plain(dialog: p.Dialog) -> dict[str, object]:
    """A dialog as it lies in a saved call."""
    return {
        "leg_id": dialog.leg_id, "trunk_id": dialog.trunk_id, "call_id": dialog.call_id, "state": dialog.state,
        "headers": dict(dialog.headers),
    }  # fmt: skip
