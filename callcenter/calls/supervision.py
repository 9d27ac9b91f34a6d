"""Supervisors in the calls of their agents: listen, whisper, barge, take over.

A supervisor follows an agent, not a call: he hears each call of the agent from its connection to its end, until he
stops, is given something else to do, or his phone is gone. Between calls he is paused (`Team.watch`) and gets no call
himself. At the next call he listens, whatever he did in the last one: nobody speaks into a call unawares.
"""

from __future__ import annotations

from callcenter.acd.agent import Agent, AgentState
from callcenter.calls import effects as fx
from callcenter.calls.call import Call, CallState, Party, PartyRole
from callcenter.calls.facts import CallTransferred
from callcenter.calls.parties import Parties
from callcenter.calls.party_views import agent_key
from callcenter.errors import Conflict

HOWS = {"listen": PartyRole.LISTEN, "whisper": PartyRole.WHISPER, "barge": PartyRole.TALK}
IN_TALK = frozenset({CallState.TALKING, CallState.HELD})


class Supervision(Parties):
    """The commands of supervisors. Each raises Conflict in words for the supervisor."""

    def supervise(self, user_id: int, agent_id: int, how: str, tell_agent: bool, now: float) -> None:
        """`how`: listen, whisper, barge, take_over, stop (as `commands.Supervise`)."""
        supervisor = self.team.agent(user_id)
        if how == "stop":  # whether or not there is such an agent still
            if supervisor.supervising:
                self._stop_watching(supervisor, now)
            return
        watched = self.team.agent(agent_id)
        if user_id == agent_id:
            raise Conflict("You can't supervise yourself.", code="own_call")
        if supervisor.phone.state != "connected":
            raise Conflict("Your phone is not connected. Allow the microphone and connect it.", code="phone_off")
        if supervisor.state not in (AgentState.AVAILABLE, AgentState.PAUSED, AgentState.OFFLINE):
            raise Conflict("Finish what you are doing before you listen to others.", code="busy")
        call = self._led_by(watched)
        if how == "take_over":
            if call is None:
                raise Conflict(f"{watched.name} is not in a conversation.", code="not_talking")
            self._take_from(watched, supervisor, call, now)
            return
        if how not in HOWS:
            raise Conflict(f"{how!r} is no way to supervise.", code="bad_how")
        if supervisor.supervising.get("agent_id") not in (None, agent_id):
            self._out_of_call(supervisor, now)
        doc = {"agent_id": agent_id, "how": how, "tell": tell_agent, "call_id": call.call_id if call else ""}
        self._out_of_call(supervisor, now)
        self.team.watch(supervisor, doc, now)
        if call is not None:
            self._overhears(call, supervisor, now)
            self._arrange(call)
            self._changed(call)
            self._show(call)

    def _led_by(self, agent: Agent) -> Call | None:
        """The conversation whose agent this is."""
        call = self.call_of(agent.user_id)
        return call if call is not None and call.agent_id == agent.user_id and call.state in IN_TALK else None

    def _overhears(self, call: Call, supervisor: Agent, now: float) -> None:
        how = supervisor.supervising["how"]
        party = Party(
            agent_key(supervisor.user_id), fx.agent_port(self.tenant, supervisor.user_id), HOWS[how].value, "talking",
            supervisor.user_id, supervisor.name, since=now, called_at=now, answered_at=now, by_user=supervisor.user_id,
            hidden=how != "barge" and not supervisor.supervising.get("tell", True),
        )  # fmt: skip
        call.parties[party.key] = party
        self._joined(call, party, now)

    def _welcome(self, call: Call, now: float) -> None:
        for supervisor in self._watchers(call.agent_id):
            doc = {**supervisor.supervising, "how": "listen", "call_id": call.call_id}
            if agent_key(supervisor.user_id) not in call.parties:
                self.team.watch(supervisor, doc, now)
                self._overhears(call, supervisor, now)

    def _watchers(self, agent_id: int | None) -> list[Agent]:
        if agent_id is None:
            return []
        return [a for a in self.team.agents.values() if a.supervising.get("agent_id") == agent_id]

    def _farewell(self, call: Call, now: float) -> None:
        """The call loses its agent: who followed him is out of it, and waits for his next one."""
        for supervisor in self._watchers(call.agent_id):
            party = call.parties.get(agent_key(supervisor.user_id))
            if party is not None:
                self._leaves(call, party, "talked", now)
            if supervisor.supervising.get("call_id") == call.call_id:
                self.team.watch(supervisor, {"call_id": ""}, now)

    def _dismiss(self, call: Call, now: float) -> None:
        self._farewell(call, now)
        super()._dismiss(call, now)

    # -------------------------------------------------------------------------------------------------------- they end

    def _stop_watching(self, supervisor: Agent, now: float) -> None:
        self._out_of_call(supervisor, now)
        self.team.unwatch(supervisor, now)

    def supervisor_leaves(self, supervisor: Agent, now: float) -> None:
        """`Team.on_unwatch`: he takes a call, signs off, or his phone is gone; his state is on its way already."""
        self._out_of_call(supervisor, now)

    def _out_of_call(self, supervisor: Agent, now: float) -> None:
        call = self.calls.get(supervisor.supervising.get("call_id") or "")
        party = call.parties.get(agent_key(supervisor.user_id)) if call is not None else None
        if call is not None and party is not None:
            self._leaves(call, party, "talked", now)
            self._arrange(call)
            self._changed(call)
            self._show(call)

    def _take_from(self, agent: Agent, supervisor: Agent, call: Call, now: float) -> None:
        """The supervisor has the call, the agent is in wrap-up; a consultation of the agent's is over."""
        for party in self._of_role(call, PartyRole.CONSULT):
            self._leaves(call, party, "left", now)
            self._set_free(call, party, "left", now)
        after = supervisor.supervising.get("after") or [supervisor.state.value, supervisor.reason]
        freed = self._view(call, "ended", ended_at=now)
        self._tone(call, on=False)
        self._out_of_call(supervisor, now)
        self._farewell(call, now)
        if supervisor.state is AgentState.OFFLINE:
            self.team.watch(supervisor, {"agent_id": agent.user_id, "how": "listen", "call_id": ""}, now)
        call.last_agent, call.agent_id = call.agent_id, supervisor.user_id
        self.team.take(supervisor, self._view(call, "talking"), now)
        if after[0] == "paused":
            supervisor.wish, supervisor.wish_reason = "paused", after[1]
        self._fact(
            call,
            CallTransferred(call.call_id, supervisor.user_id, "take_over", "agent", supervisor.user_id, "", now),
        )
        self._bridge(call, now)
        self.team.call_over(agent, freed, True, now)
