"""What an agent does with others in his call: transfer, consult, conference, park, leave a message.

An agent who gives a call away is in wrap-up at once; the call goes on without him. It is never lost on the way: a
transfer that nobody takes comes back to whoever made it, if he is there, and else goes to its queue or to a voicemail
box; so does a parked call that nobody picks up.
"""

from __future__ import annotations

from callcenter.acd.agent import Agent, AgentState
from callcenter.acd.views import CallView
from callcenter.calls import effects as fx
from callcenter.calls.call import Call, CallInput, CallState, Party, PartyRole
from callcenter.calls.destination import Destination, DestinationKind
from callcenter.calls.facts import CallTransferred
from callcenter.calls.party_views import agent_key, notice
from callcenter.calls.supervision import IN_TALK, Supervision
from callcenter.errors import Conflict
from callcenter.telephony import ports as p

PARK_S = 120.0  # then the parked call rings at who parked it
MOST_PARTIES = 6
DROP_S = 180.0  # the longest message left on an answering machine


class Transfers(Supervision):
    """The commands of a call's agent about others. Each raises Conflict in words for the agent."""

    def transfer(self, user_id: int, to: Destination, attended: bool, now: float) -> None:
        """As `commands.Transfer`."""
        call = self._talking_call(user_id)
        if len(call.parties) >= MOST_PARTIES:
            raise Conflict("There are too many people in this call.", code="too_many_parties")
        if self._of_role(call, PartyRole.CONSULT):
            raise Conflict("End your present consultation first.", code="consulting")
        if to.kind is DestinationKind.AGENT and to.id == user_id:
            raise Conflict("You can't transfer a call to yourself.", code="own_call")
        if attended:
            self._consult(call, user_id, to, now)
        else:
            self._give(call, user_id, to, now)

    def _consult(self, call: Call, user_id: int, to: Destination, now: float) -> None:
        if to.kind is DestinationKind.AGENT:
            self._ring_colleague(call, self._colleague(to, call), user_id, now, transfer=False)
        elif to.kind is DestinationKind.NUMBER:
            self._ring_number(call, to.number, user_id, now, transfer=False)
        else:
            raise Conflict("Only a colleague or a number can be consulted.", code="bad_target")
        if call.state is CallState.TALKING:
            call.step(CallInput.HOLD, now)
            call.held_at = now
        call.notice = {}
        self._arrange(call)
        self._tone(call, on=True)
        self._watch_silence(call, now)
        self._changed(call)
        self._show(call)

    def _give(self, call: Call, user_id: int, to: Destination, now: float) -> None:
        """A blind transfer: the agent is out of the call at once."""
        if self._others(call):
            raise Conflict("Drop the others first, or leave the conference.", code="in_conference")
        if to.kind is DestinationKind.AGENT:
            colleague = self._colleague(to, call)
            if not self._can_ring(colleague, call):
                raise Conflict(f"{colleague.name} is not free now.", code="agent_not_free")
        agent, view = self._detach(call, now)
        self._fact(call, CallTransferred(call.call_id, user_id, "blind", to.kind.value, to.id, to.number, now))
        if to.kind is DestinationKind.AGENT:
            self._waits(call, now)
            self._ring_colleague(call, colleague, user_id, now, transfer=True)
        elif to.kind is DestinationKind.NUMBER:
            self._waits(call, now)
            self._ring_number(call, to.number, user_id, now, transfer=True)
        else:
            self._send(call, to, now)
        self._let_go(agent, view, now)

    def ring_number(self, call: Call, number: str, now: float) -> None:
        """A menu, a queue or a DID sends an answered call on to a number: the caller hears it ring."""
        self._waits(call, now)
        self._ring_number(call, number, call.agent_id or call.last_agent, now, transfer=True)
        self._changed(call)

    def complete_transfer(self, user_id: int, now: float) -> None:
        """The consulted one has the call; one who still rings will have it when he answers."""
        call = self._talking_call(user_id)
        consulted = self._of_role(call, PartyRole.CONSULT)
        if not consulted:
            raise Conflict("You are not consulting anybody.", code="not_consulting")
        party = consulted[0]
        kind = DestinationKind.AGENT if party.user_id is not None else DestinationKind.NUMBER
        self._tone(call, on=False)
        agent, view = self._detach(call, now)
        fact = CallTransferred(call.call_id, user_id, "attended", kind.value, party.user_id, party.number, now)
        self._fact(call, fact)
        if party.state == "talking":
            self._take_over(call, party, now)
        else:
            party.role, party.transfer, party.state = PartyRole.TALK.value, True, "ringing"
            self._waits(call, now)
        self._let_go(agent, view, now)

    def conference(self, user_id: int, now: float) -> None:
        """Customer, agent and the consulted one hear each other."""
        call = self._talking_call(user_id)
        ready = [q for q in self._of_role(call, PartyRole.CONSULT) if q.state == "talking"]
        if not ready:
            raise Conflict("Nobody whom you consult has answered yet.", code="not_consulting")
        for party in ready:
            party.role = PartyRole.TALK.value
        if call.state is CallState.HELD:
            self._unhold(call, now)
            call.step(CallInput.RESUME, now)
        self._arrange(call)
        self._watch_silence(call, now)
        self._changed(call)
        self._show(call)

    def leave(self, user_id: int, now: float) -> None:
        """The call's agent leaves a conference; the others go on, a colleague among them as its agent. A colleague just
        leaves."""
        if self._leave_as_party(user_id, now):
            return
        call = self._talking_call(user_id)
        if not self._leave_to_others(call, now):
            raise Conflict("There is nobody to go on with the customer. Hang up or transfer.", code="no_conference")

    def _leave_to_others(self, call: Call, now: float) -> bool:
        """The agent goes; False if nobody would be left with the customer."""
        others = sorted(self._others(call), key=lambda q: q.user_id is None)  # colleagues before numbers
        if not others:
            return False
        for party in self._of_role(call, PartyRole.CONSULT):
            self._leaves(call, party, "left", now)
            self._set_free(call, party, "left", now)
        user_id, heir = call.agent_id or 0, others[0]
        kind = DestinationKind.AGENT if heir.user_id is not None else DestinationKind.NUMBER
        agent, view = self._detach(call, now)
        self._fact(call, CallTransferred(call.call_id, user_id, "left", kind.value, heir.user_id, heir.number, now))
        self._take_over(call, heir, now)
        self._let_go(agent, view, now)
        return True

    def drop_party(self, user_id: int, key: str, now: float) -> None:
        """A consultation ends and the customer is back, or a conference goes on without the party."""
        call = self._talking_call(user_id)
        party = call.parties.get(key)
        if party is None:
            raise Conflict("Whoever it was has left the call.", code="no_party")
        if self._is_watching(party):
            raise Conflict("A supervisor leaves by his own hand.", code="supervisor")
        self._party_gone(call, party, "left" if party.state == "talking" else "cancelled", now)
        call.notice = {}
        self._show(call)

    # -------------------------------------------------------------------------------------------------------- parking

    def park(self, user_id: int, now: float) -> dict[str, str]:
        """As `commands.Park`; the agent is in wrap-up."""
        call = self._talking_call(user_id)
        if [q for q in call.parties.values() if not self._is_watching(q)]:
            raise Conflict("Only a call with nobody else in it can be parked.", code="in_conference")
        used = {c.park_slot for c in self.calls.values()}
        slot = next(str(n) for n in range(1, len(used) + 2) if str(n) not in used)
        agent, view = self._detach(call, now)
        call.step(CallInput.PARK, now)
        call.park_slot, call.parked_by, call.control = slot, user_id, ""
        call.music = False
        self._arrange(call)
        self._channels(call, now)
        self._music(call.port, call, on=True)
        self._party_timer(call, "park", now + PARK_S)
        self._do(fx.ParkedChanged())
        self._changed(call)
        self._let_go(agent, view, now)
        return {"slot": slot}

    def pick_up(self, user_id: int, slot: str, now: float) -> None:
        """As `commands.PickUp`. Raises Conflict if the slot is empty or the agent can't take a call."""
        call = next((c for c in self.calls.values() if c.park_slot == slot and c.state is CallState.PARKED), None)
        if call is None or call.hanging_up_since is not None:
            raise Conflict("No call is parked there any more.", code="no_parked_call")
        agent = self.team.agent(user_id)
        if agent.phone.state != "connected":
            raise Conflict("Your phone is not connected. Allow the microphone and connect it.", code="phone_off")
        mine = agent.call is not None and agent.call.call_id == call.call_id
        if agent.state is AgentState.RINGING and mine:
            self.answer_party(user_id, now)
            return
        if agent.state not in (AgentState.AVAILABLE, AgentState.PAUSED, AgentState.WRAP_UP) or (
            agent.state is AgentState.WRAP_UP and not mine
        ):
            raise Conflict("Finish what you are doing first.", code="busy")
        self.team.take(agent, self._view(call, "talking"), now)
        for party in list(call.parties.values()):
            self._leaves(call, party, "gone", now)
            self._set_free(call, party, "gone", now)
        call.agent_id = user_id
        self._bridge(call, now)

    def parked(self) -> list[dict[str, object]]:
        """The calls that are parked, by slot; shapes as the live document `parked`."""
        calls = [c for c in self.calls.values() if c.park_slot and c.state is CallState.PARKED]
        return [
            {"slot": c.park_slot, "call_id": c.call_id, "phone_e164": c.number, "since": c.state_since,
             "name": str(c.card.get("name") or ""), "by_user": c.parked_by, "queue_id": c.queue_id}
            for c in sorted(calls, key=lambda c: int(c.park_slot))
        ]  # fmt: skip

    # ------------------------------------------------------------------------------------------ messages, recordings

    def voicemail_drop(self, user_id: int, prompt_id: int, now: float) -> None:
        """As `commands.VoicemailDrop`."""
        call = self._talking_call(user_id)
        if [q for q in call.parties.values() if not self._is_watching(q)]:
            raise Conflict("Only a call with nobody else in it can be left a message.", code="in_conference")
        agent, view = self._detach(call, now)
        call.step(CallInput.VOICEMAIL, now)
        call.control, call.hung_up_by, call.music = "", "agent", False
        self._stop_record(call)
        self._arrange(call)
        play = f"drop-{call.call_id}"
        self._do(fx.PlayPrompts(call.port, play, (f"prompt:{prompt_id}",), call.language))
        self._party_timer(call, "drop", now + DROP_S)
        self._changed(call)
        self._let_go(agent, view, now)

    def record(self, user_id: int, action: str, now: float) -> None:
        """As `commands.RecordCall`."""
        call = self._talking_call(user_id)
        if action == "start":
            if call.recording_id:
                return
            if not (call.record or call.on_demand):
                raise Conflict("Calls of this campaign or queue are not recorded.", code="not_recorded")
            self._record(call, user_id, now)
        elif not call.recording_id or action not in ("pause", "resume"):
            raise Conflict("This call is not being recorded.", code="not_recording")
        elif call.record_paused != (action == "pause"):
            call.record_paused = action == "pause"
            self._do(fx.PauseRecord(call.recording_id, paused=call.record_paused))
        self._changed(call)
        self._show(call)

    # ------------------------------------------------------------------------------------------------- what may come

    def party_media(self, event: p.MediaEvent, now: float) -> None:
        """The message left on an answering machine has been heard to its end."""
        if isinstance(event, p.PlayEnded) and event.play_id.startswith("drop-") and event.complete:
            call = self.calls.get(event.play_id.removeprefix("drop-"))
            if call is not None:
                self.hang_up(call, "agent", now)

    def party_timer(self, call_id: str, name: str, now: float) -> None:
        """A timer of this layer's fired: a party did not answer, a parked call was not picked up, a message is too
        long."""
        call = self.calls.get(call_id)
        if call is None or call.hanging_up_since is not None:
            return
        if name == "drop":
            self.hang_up(call, "agent", now)
        elif name == "park":
            if call.state is CallState.PARKED:
                self._come_back(call, call.parked_by, {"code": "came_back", "at": now}, now)
        elif name in call.parties:
            self._party_gone(call, call.parties[name], "no_answer", now)

    def _not_taken(self, call: Call, party: Party, outcome: str, now: float) -> None:
        """A transfer that came to nothing. One who did not take back what he gave away does not get it again."""
        told = {**notice(party, outcome, now), "code": "came_back", "why": outcome}
        again = party.user_id is not None and party.user_id == party.by_user
        self._come_back(call, None if again else party.by_user, told, now)

    def _come_back(self, call: Call, user_id: int | None, told: dict[str, object], now: float) -> None:
        call.notice = told
        agent = self.team.agents.get(user_id or 0)
        if agent is not None and self._can_ring(agent, call):
            self._ring_colleague(call, agent, agent.user_id, now, transfer=True)
            self._changed(call)
            return
        if call.queue_id is not None:
            self._send(call, Destination(DestinationKind.QUEUE, call.queue_id), now)
        else:
            box = call.parked_by or call.last_agent
            self._send(call, Destination(DestinationKind.VOICEMAIL, box), now)

    def lose_agent(self, agent: Agent, now: float) -> bool:
        """The audio of an agent is gone for good: whoever is in the call with the customer, or is being consulted, goes
        on with him. False if the call has nobody else."""
        if self.lose_party(agent, now):
            return True
        call = self.call_of(agent.user_id)
        if call is None or call.agent_id != agent.user_id or call.state not in IN_TALK:
            return False
        if self._leave_to_others(call, now):
            return True
        consulted = self._of_role(call, PartyRole.CONSULT)
        if any(q.state == "talking" for q in consulted):
            self.complete_transfer(agent.user_id, now)
            return True
        if consulted and call.queue_id is not None:
            for party in consulted:
                self._leaves(call, party, "gone", now)
                self._set_free(call, party, "gone", now)
            freed, view = self._detach(call, now)
            self._send(call, Destination(DestinationKind.QUEUE, call.queue_id), now)
            self._let_go(freed, view, now)
            return True
        return False

    def restore_given(self, call: Call, now: float) -> bool:
        """Take up a call that was on its way from one to another when the engine died; False if it was not."""
        if call.control or not call.dialog or call.dialog.get("state") != "confirmed" or call.hanging_up_since:
            return False
        if call.state not in (CallState.WAITING, CallState.PARKED, CallState.VOICEMAIL):
            return False
        self.restore_parties(call, now)
        if call.state is CallState.VOICEMAIL:
            self._party_timer(call, "drop", now + DROP_S)
        elif call.state is CallState.PARKED:
            self._music(call.port, call, on=True)
            self._party_timer(call, "park", now + PARK_S)
            self._do(fx.ParkedChanged())
        else:
            self._come_back(call, call.last_agent, {"code": "came_back", "at": now}, now)
        return True

    # --------------------------------------------------------------------------------------------------------- inside

    def _talking_call(self, user_id: int) -> Call:
        call = self._own_call(user_id)
        if call.state not in IN_TALK or call.hanging_up_since is not None:
            raise Conflict("This needs a conversation.", code="not_talking")
        return call

    def _colleague(self, to: Destination, call: Call) -> Agent:
        agent = self.team.agents.get(to.id or 0)
        if agent is None or agent_key(agent.user_id) in call.parties:
            raise Conflict("There is no such agent to transfer to.", code="no_agent")
        return agent

    def _detach(self, call: Call, now: float) -> tuple[Agent | None, CallView]:
        """The call has no agent any more. `_let_go` frees him once the call stands where it goes on: what he gets next
        must not meet it halfway."""
        agent = self._agent_of(call)
        view = self._view(call, "ended", ended_at=now)
        self._tone(call, on=False)
        self._farewell(call, now)
        self.timers.cancel(("call", call.call_id, "silent"))
        self._unhold(call, now)
        call.last_agent, call.agent_id = call.agent_id, None
        call.notice = {}
        return agent, view

    def _let_go(self, agent: Agent | None, view: CallView, now: float) -> None:
        if agent is not None and agent.state is AgentState.ON_CALL:
            self._do(fx.StopPlay(fx.agent_port(self.tenant, agent.user_id)))
            self.team.call_over(agent, view, True, now)

    def _waits(self, call: Call, now: float) -> None:
        """The customer hears it ring until somebody takes the call."""
        self._withdraw(call, "transferred", now)
        call.step(CallInput.QUEUE, now)
        call.control, call.music = "", False
        self.timers.cancel_all("call", call.call_id)
        self._arrange(call)
        self._channels(call, now)
        self._do(fx.Play(call.port, f"ring-{call.call_id}", "tone:ringback", loop=True))
        self._changed(call)

    def _send(self, call: Call, to: Destination, now: float) -> None:
        """On to a queue, a menu, a voicemail box: the conversation's recording ends here."""
        self._stop_record(call)
        self._unpark(call)
        self.timers.cancel(("party", call.call_id, "park"))
        if call.music:
            call.music = False
        self._do(fx.StopPlay(call.port))
        self._patch(call)
        self.divert(call, to, now)
        self._changed(call)

    def _stop_record(self, call: Call) -> None:
        if call.recording_id:
            self._do(fx.StopRecord(call.recording_id))
            call.recording_id, call.record_paused = "", False
