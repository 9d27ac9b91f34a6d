"""Who else is in a call: colleagues and third numbers that are called into it, answer, speak, leave or never come.

A layer of the floor (`hands.py` ← `party_views.py` ← `parties.py` ← `supervision.py` ← `transfers.py` ← `lobby.py`):
the mechanics. What agents and supervisors command is in the two layers above.

Three rules keep anybody from being forgotten. A party that rings has a timer (`("party", call, party)`). Whoever leaves
a call goes through `_party_gone`, which says what becomes of those who stay; and when the call itself ends, `_dismiss`
frees them all. A call that goes on without an agent hangs up when the number it talks with is gone.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from callcenter.acd.agent import Agent, AgentState
from callcenter.calls import effects as fx
from callcenter.calls.call import Call, CallInput, CallState, Party, PartyRole
from callcenter.calls.facts import PartyJoined, PartyLeft
from callcenter.calls.party_views import Seen, agent_key, notice, plain
from callcenter.errors import Conflict
from callcenter.telephony import ports as p

RING_S = 20.0  # a colleague's phone
NUMBER_RING_S = 45.0  # a third number's; the adapter ends it then
NUMBER_SETUP_S = 15.0  # beyond that: the adapter must have told its end by then
WORDS = {p.Cause.NORMAL: "left", p.Cause.CONGESTION: "no_line", p.Cause.UNREACHABLE: "no_line"}
WATCHING = frozenset({PartyRole.LISTEN, PartyRole.WHISPER})


class Parties(Seen):
    """The mechanics of third parties."""

    def agent_hang_up(self, user_id: int, now: float) -> None:
        """The call's agent ends the call for all; a colleague in it leaves it. Raises Conflict."""
        if not self._leave_as_party(user_id, now):
            super().agent_hang_up(user_id, now)

    def _leave_as_party(self, user_id: int, now: float) -> bool:
        call = self.call_of(user_id)
        party = call.parties.get(agent_key(user_id)) if call is not None else None
        if call is None or party is None:
            return False
        self._party_gone(call, party, "left", now)
        return True

    def _own_call(self, user_id: int) -> Call:
        call = super()._own_call(user_id)
        if call.agent_id != user_id:
            raise Conflict("Only the call's agent can do this; you are a guest in this call.", code="not_your_call")
        return call

    # ---------------------------------------------------------------------------------------------------- they come

    def _ring_colleague(self, call: Call, agent: Agent, by: int | None, now: float, *, transfer: bool) -> None:
        """A colleague's phone rings with the call's card. Raises Conflict if he can't be rung."""
        if not self._can_ring(agent, call):
            raise Conflict(f"{agent.name} is not free now.", code="agent_not_free", params={"name": agent.name})
        role = PartyRole.TALK if transfer else PartyRole.CONSULT
        party = Party(
            agent_key(agent.user_id), fx.agent_port(self.tenant, agent.user_id), role.value, user_id=agent.user_id,
            name=agent.name, since=now, called_at=now, by_user=by, transfer=transfer,
        )  # fmt: skip
        call.parties[party.key] = party
        view = replace(self._view(call, "offered"), since=now, answer_until=now + RING_S, can_record="")
        self.team.ring(agent, view, now)
        self._party_timer(call, party.key, now + RING_S)
        self._joined(call, party, now)

    def _ring_number(self, call: Call, number: str, by: int | None, now: float, *, transfer: bool) -> None:
        call.legs += 1
        key = f"{call.call_id}.{call.legs}"
        role = PartyRole.TALK if transfer else PartyRole.CONSULT
        party = Party(
            key, fx.party_port(key), role.value, number=number, leg_id=key, since=now, called_at=now, by_user=by,
            transfer=transfer,
        )  # fmt: skip
        call.parties[key] = party
        self._do(fx.OriginateParty(call.call_id, key, number))
        self._party_timer(call, key, now + NUMBER_RING_S + NUMBER_SETUP_S)
        self._joined(call, party, now)

    def _can_ring(self, agent: Agent, call: Call) -> bool:
        """Whether he is free, or wraps up this very call."""
        own = agent.state is AgentState.WRAP_UP and agent.call is not None and agent.call.call_id == call.call_id
        return agent.phone.state == "connected" and (agent.free or own)

    def answer_party(self, user_id: int, now: float) -> bool:
        """The agent picks up a call that rings at him as a party; False if none does."""
        found = self._rung_party(user_id)
        if found is None:
            return False
        call, party = found
        agent = self.team.agent(user_id)
        if agent.phone.state != "connected":
            raise Conflict("Your phone is not connected. Allow the microphone and connect it.", code="phone_off")
        self.team.take(agent, self._view(call, "talking"), now)
        self._party_up(call, party, now)
        return True

    def decline_party(self, user_id: int, now: float) -> bool:
        """The agent does not take a call that rings at him as a party; False if none does."""
        found = self._rung_party(user_id)
        if found is None:
            return False
        self._party_gone(*found, "declined", now)
        return True

    def unrung_party(self, user_id: int, call_id: str, now: float) -> bool:
        """The agent turned away from a call that rang at him as a party (pause, sign-off, dead phone); False if none
        did. He is on his way already, nothing is done to him here."""
        found = self._rung_party(user_id, call_id)
        if found is None:
            return False
        self._party_gone(*found, "no_answer", now, free=False)
        return True

    def rings_as_party(self, agent: Agent) -> bool:
        """Whether what rings at the agent is a call that he is called into."""
        return agent.call is not None and self._rung_party(agent.user_id, agent.call.call_id) is not None

    def _rung_party(self, user_id: int, call_id: str = "") -> tuple[Call, Party] | None:
        agent = self.team.agents.get(user_id)
        view = agent.call if agent is not None else None
        call = self.calls.get(call_id or (view.call_id if view is not None else ""))
        party = call.parties.get(agent_key(user_id)) if call is not None else None
        return (call, party) if call is not None and party is not None and party.state == "ringing" else None

    # ----------------------------------------------------------------------------------------- SIP of third numbers

    def party_sip(self, event: p.SipEvent, now: float) -> None:
        """An event of a third number's leg (`event.leg_id` is the party's key). One of a party that is gone is
        ignored."""
        call = self.calls.get(event.leg_id.partition(".")[0])
        party = call.parties.get(event.leg_id) if call is not None else None
        if call is None or party is None:
            return
        match event:
            case p.LegTrying(dialog=dialog):
                party.dialog, party.trunk_id = plain(dialog), dialog.trunk_id
                self._changed(call)
            case p.LegEarlyMedia() if party.state == "ringing":
                party.state = "early"
                self._arrange(call)
            case p.LegAnswered(dialog=dialog) if party.state != "talking":
                party.dialog = plain(dialog)
                self._party_up(call, party, now)
            case p.LegEnded(cause=cause):
                how = WORDS.get(cause, cause.value)
                self._party_gone(call, party, how if party.state == "talking" or how != "left" else "failed", now)

    def party_lost(self, call_id: str, key: str, outcome: str, now: float) -> None:
        """The shell could not call a third number: no free line (`no_line`), no media port (`failed`)."""
        call = self.calls.get(call_id)
        party = call.parties.get(key) if call is not None else None
        if call is not None and party is not None:
            self._party_gone(call, party, outcome, now)

    # -------------------------------------------------------------------------------------------------- they speak

    def _party_up(self, call: Call, party: Party, now: float) -> None:
        """A party has answered."""
        party.state, party.since, party.answered_at = "talking", now, now
        self.timers.cancel(("party", call.call_id, party.key))
        if party.transfer:
            self._take_over(call, party, now)
            return
        self._arrange(call)
        self._changed(call)
        self._show(call)

    def _take_over(self, call: Call, party: Party, now: float) -> None:
        """The call is the party's from now on: a colleague becomes its agent, a number talks with the customer."""
        party.role, party.transfer = PartyRole.TALK.value, False
        if party.user_id is not None:
            self._leaves(call, party, "agent", now)
            call.agent_id = party.user_id
        call.notice = {}
        self._bridge(call, now)

    def _bridge(self, call: Call, now: float) -> None:
        """Customer, the call's agent and the parties that talk hear each other."""
        self._unhold(call, now)
        call.step(CallInput.BRIDGE, now)
        call.connected_at = call.connected_at or now
        call.control = ""
        self._unpark(call)
        self.timers.cancel_all("call", call.call_id)
        self.timers.cancel(("party", call.call_id, "park"))
        self._do(fx.StopPlay(call.port))
        call.music = False
        self._welcome(call, now)
        self._arrange(call)
        self._channels(call, now)
        self._watch_silence(call, now)
        self._changed(call)
        self._show(call)

    def _channels(self, call: Call, now: float) -> None:
        """The recording follows the call's agent, or the number that has taken his place; nobody is silence."""
        if call.agent_id is not None:
            if call.record or call.recording_id:
                self._record(call, call.agent_id, now)
        elif call.recording_id:
            ports = [q.port_id for q in call.parties.values() if q.role == PartyRole.TALK and q.state == "talking"]
            self._do(fx.RetargetRecord(call.recording_id, ports[0] if ports else "", call.port))
        if call.recording_id and call.record_paused:  # who paused it knew why; the next one does not
            call.record_paused = False
            self._do(fx.PauseRecord(call.recording_id, paused=False))

    def _arrange(self, call: Call) -> None:
        """Room and music as the call now stands."""
        for party in call.parties.values():
            if party.role == PartyRole.TALK and party.state == "talking" and call.state is CallState.TALKING:
                party.talked = True
            waits = party.role == PartyRole.CONSULT and party.state == "talking" and call.state is CallState.TALKING
            if waits != party.music:
                party.music = waits
                self._music(party.port_id, call, on=waits)
        consulted = {q.state for q in self._of_role(call, PartyRole.CONSULT)}
        self._tone(call, on=call.state is CallState.HELD and consulted == {"ringing"})
        super()._arrange(call)

    def _tone(self, call: Call, *, on: bool) -> None:
        """A ringing tone for the agent who consults."""
        if call.agent_id is None or call.tone == on:
            return
        call.tone = on
        port = fx.agent_port(self.tenant, call.agent_id)
        if on:
            self._do(fx.Play(port, f"ringback-{call.call_id}", "tone:ringback", loop=True))
        else:
            self._do(fx.StopPlay(port))

    # --------------------------------------------------------------------------------------------------- they leave

    def _party_gone(self, call: Call, party: Party, outcome: str, now: float, *, free: bool = True) -> None:
        """A party is in the call no longer; those who stay go on as the call stands. `free` False: whoever it was is
        out of it already."""
        was_up = party.state == "talking"
        self._leaves(call, party, "talked" if was_up and outcome == "left" else outcome, now)
        if party.role in WATCHING or call.hanging_up_since is not None or call.state is CallState.ENDED:
            self._arrange(call)
        elif party.transfer:
            self._not_taken(call, party, outcome, now)
        elif party.role == PartyRole.CONSULT:
            call.notice = notice(party, outcome, now)
            self._consult_over(call, now)
        elif call.agent_id is None and not self._others(call):
            self.hang_up(call, "customer" if outcome == "left" else "system", now)
        else:
            call.notice = notice(party, outcome, now)
            self._arrange(call)
        if free:
            self._set_free(call, party, outcome, now)
        if call.call_id in self.calls:
            self._changed(call)
            self._show(call)

    def _leaves(self, call: Call, party: Party, outcome: str, now: float) -> None:
        """Out of the call's list, with the fact that closes its row."""
        call.parties.pop(party.key, None)
        self.timers.cancel(("party", call.call_id, party.key))
        if party.music:
            party.music = False
            self._do(fx.StopPlay(party.port_id))
        fact = PartyLeft(
            call.call_id, party.key, now, party.role, party.user_id, party.number, party.called_at, party.answered_at,
            outcome, party.by_user,
        )  # fmt: skip
        self._fact(call, fact)

    def _set_free(self, call: Call, party: Party, outcome: str, now: float) -> None:
        """Whoever it was is free of the call: a number's leg ends, a colleague goes on with his work."""
        if party.leg_id:
            self._do(fx.HangUpParty(call.call_id, party.key))
            return
        agent = self.team.agents.get(party.user_id or 0)
        if agent is None or party.role in WATCHING or agent.supervising:
            return
        mine = agent.call is not None and agent.call.call_id == call.call_id
        if agent.state is AgentState.RINGING and mine:
            self.team.stop_ringing(agent, "no_answer" if outcome in ("no_answer", "declined") else "", now)
        elif agent.state is AgentState.ON_CALL and mine:
            # A guest owes no outcome, that is the call's agent's; but the same time to wrap up is his.
            whole = self._view(call, "ended", ended_at=now)
            view = replace(whole, campaign_id=None, queue_id=None)
            self.team.call_over(agent, view, party.talked, now, self.team.rules_for(whole).wrap_up_s)

    def _dismiss(self, call: Call, now: float) -> None:
        for party in list(call.parties.values()):
            outcome = "left" if party.state == "talking" else "gone"
            self._leaves(call, party, "talked" if outcome == "left" else outcome, now)
            self._set_free(call, party, outcome, now)
        self._unpark(call)
        self.timers.cancel_all("party", call.call_id)

    def _consult_over(self, call: Call, now: float) -> None:
        """Nobody is consulted any more: the customer is back."""
        if call.state is CallState.HELD and not self._of_role(call, PartyRole.CONSULT):
            self._unhold(call, now)
            call.step(CallInput.RESUME, now)
            self._watch_silence(call, now)
        self._arrange(call)

    @abstractmethod
    def _not_taken(self, call: Call, party: Party, outcome: str, now: float) -> None:
        """`party` rang and did not come into the call (`transfers.py`). `outcome` as in `facts.PartyLeft`."""

    def lose_party(self, agent: Agent, now: float) -> bool:
        """The audio of somebody who is in a call as a party is gone for good; False if he is in none."""
        call = self.call_of(agent.user_id)
        party = call.parties.get(agent_key(agent.user_id)) if call is not None else None
        if call is None or party is None:
            return False
        self._party_gone(call, party, "lost", now)
        return True

    # ------------------------------------------------------------------------------------------------------- inside

    def _others(self, call: Call) -> list[Party]:
        """Parties that talk with the customer, supervisors left out: those follow the agent."""
        talking = (q for q in call.parties.values() if q.role == PartyRole.TALK and q.state == "talking")
        return [q for q in talking if not self._is_watching(q)]

    def _is_watching(self, party: Party) -> bool:
        agent = self.team.agents.get(party.user_id or 0)
        return agent is not None and bool(agent.supervising)

    def _unpark(self, call: Call) -> None:
        if call.park_slot:
            call.park_slot = ""
            self._do(fx.ParkedChanged())

    def _party_timer(self, call: Call, name: str, at: float) -> None:
        self.timers.set(("party", call.call_id, name), at)

    def _joined(self, call: Call, party: Party, now: float) -> None:
        fact = PartyJoined(call.call_id, party.key, party.role, party.user_id, party.number, now, party.by_user)
        self._fact(call, fact)
        self._changed(call)
        self._show(call)

    # ---------------------------------------------------------------------------------------------------- restoring

    def restore_parties(self, call: Call, now: float) -> None:
        """Those who spoke when the engine died still do; what rang then is over."""
        consulted = bool(self._of_role(call, PartyRole.CONSULT))
        for party in list(call.parties.values()):
            if party.state == "talking" and self._still_there(call, party):
                continue
            self._leaves(call, party, "engine_lost", now)
            if party.leg_id:
                self._do(fx.HangUpParty(call.call_id, party.key))
        if consulted:
            self._consult_over(call, now)
        if call.agent_id is None and call.state is CallState.TALKING and not self._others(call):
            self.hang_up(call, "system", now)

    def _still_there(self, call: Call, party: Party) -> bool:
        if party.leg_id:
            return party.dialog is not None
        agent = self.team.agents.get(party.user_id or 0)
        if agent is None:
            return False
        if party.role in WATCHING or agent.supervising:
            return bool(agent.supervising) and agent.supervising.get("call_id") == call.call_id
        return agent.state is AgentState.ON_CALL and agent.call is not None and agent.call.call_id == call.call_id

    def reconcile_parties(self, now: float) -> list[str]:
        """Parties that stand without a timer or a call; each is let go and named."""
        found: list[str] = []
        for call in list(self.calls.values()):
            for party in list(call.parties.values()):
                timed = self.timers.has("party", call.call_id, party.key)
                if party.state != "talking" and not timed:
                    found.append(f"party {party.key} of call {call.call_id} is {party.state} without a timer")
                elif party.state == "talking" and not self._still_there(call, party):
                    found.append(f"party {party.key} of call {call.call_id} is not there")
                else:
                    continue
                self._party_gone(call, party, "failed", now)
        return found
