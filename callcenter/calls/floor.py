"""The floor: all calls and agents of one enterprise, and everything that can happen to them.

Pure: `now` (seconds since the epoch) and events in, typed effects out (`take`). The floor asks a call's controller at
each turn (`control.py`) and carries out its answers; agents are the team's (`acd/team.py`), their commands are in
`hands.py`, and how a call ends is in `book.py`. The shell around it
(`processes/engine.py`) only moves SIP, media and edge events, timers, commands and effects.

Two rules keep anything from getting stuck. Whoever asks for the end of a call sets a timer that ends it even if the far
end never answers (`END_S`); and every call that is neither talking nor ended has a timer (`reconcile` checks both).
"""

from __future__ import annotations

from dataclasses import replace

from callcenter.acd.agent import Agent, AgentState
from callcenter.acd.views import CallView
from callcenter.calls import control as ctl
from callcenter.calls import effects as fx
from callcenter.calls.book import END_S
from callcenter.calls.call import Call, CallInput, CallState
from callcenter.calls.facts import CallStarted, RecordingClosed
from callcenter.calls.leg import LegInput, LegState
from callcenter.calls.transfers import Transfers
from callcenter.telephony import ports as p

SETUP_S = 15.0  # beyond the ring time-out: the adapter must have ended the leg by then
IDENTIFY_S = 25.0  # the longest identification message


class Floor(Transfers):
    """Calls and agents of enterprise `tenant`."""

    def __init__(self, tenant: int, controls: ctl.Controls) -> None:
        super().__init__(tenant)
        self._controls = controls
        self.team.on_free = self._agent_free
        self.team.on_lost = self._agent_lost
        self.team.on_unwatch = self.supervisor_leaves

    # ------------------------------------------------------------------------------------------------ placing calls

    def place(self, call: Call, now: float) -> None:
        """A call is about to be dialed. For a call by hand, its agent is on it from this moment. Raises IllegalEvent
        if the agent can't take it (nothing has changed then)."""
        call.state_since = now
        if call.agent_id is not None:
            self.team.take(self.team.agent(call.agent_id), self._view(call, "dialing"), now)
        self.calls[call.call_id] = call
        self._fact(
            call,
            CallStarted(
                call.call_id, call.mode, call.number, call.caller_id, call.trunk_id, call.campaign_id, call.lead_id,
                call.customer_id, call.agent_id, call.started_at,
            ),
        )  # fmt: skip
        self._timer(call, "setup", now + call.ring_timeout_s + SETUP_S)
        self._changed(call)
        self._do(fx.Originate(call.call_id))
        self._ask(call, ctl.Placed(), now)

    # ---------------------------------------------------------------------------------------------------- SIP events

    def sip(self, event: p.SipEvent, now: float) -> None:
        """An event of a call's leg (`event.leg_id` is the call's id). One for a call that is gone is ignored."""
        if "." in event.leg_id:
            self.party_sip(event, now)
            return
        call = self.calls.get(event.leg_id)
        if call is None:
            return
        match event:
            case p.LegTrying(dialog=dialog):
                self._leg(call, LegInput.SENT)
                call.dialog = _plain(dialog)
                self._changed(call)
            case p.LegRinging():
                if self._leg(call, LegInput.RING):
                    self._ringing(call, early_media=False, now=now)
            case p.LegEarlyMedia():
                if self._leg(call, LegInput.EARLY_MEDIA):
                    self._ringing(call, early_media=True, now=now)
            case p.LegAnswered(dialog=dialog):
                if self._leg(call, LegInput.ANSWER):
                    call.dialog = _plain(dialog)
                    self._answered(call, now)
            case p.LegUpdated(sdp=sdp):
                held = sdp.direction in ("sendonly", "inactive")
                if self._leg(call, LegInput.HOLD if held else LegInput.RESUME):
                    self._watch_silence(call, now)
                    self._show(call)
            case p.LegEnded():
                self._leg(call, LegInput.END)
                self._end(call, event.cause, event.status, now, by_us=event.by_us)

    def _ringing(self, call: Call, *, early_media: bool, now: float) -> None:
        call.ringing_at = call.ringing_at or now
        if call.hanging_up_since is not None:
            return  # its agent has gone on to something else
        self._ask(call, ctl.Ringing(early_media), now)
        self._show(call, "ringing")

    def _answered(self, call: Call, now: float) -> None:
        if call.state is not CallState.PLACED:
            return
        call.step(CallInput.ANSWERED, now)
        call.answered_at = now
        self.timers.cancel(("call", call.call_id, "setup"))
        self._observe(call, "answer", now, now - call.started_at)
        if call.hanging_up_since is not None:
            self._do(fx.HangUpLeg(call.call_id))  # it crossed our CANCEL
        else:
            if call.control == "dialed":
                self._observe(call, "live", now, now - call.started_at)
            self._ask(call, ctl.Answered(), now)
        self._changed(call)

    # ------------------------------------------------------------------------------------- controllers and answers

    def _ask(self, call: Call, turn: ctl.Turn, now: float) -> None:
        for answer in self._controls.of(call).decide(turn, call, now):
            if call.state is CallState.ENDED:
                return
            self._carry_out(call, answer, now)

    def _carry_out(self, call: Call, answer: ctl.Answer, now: float) -> None:
        match answer:
            case ctl.FindAgent():
                agent = self.team.pick(call.campaign_id)
                if agent is None:
                    self._ask(call, ctl.NobodyFree(), now)
                else:
                    self._connect(call, agent, now)
            case ctl.Attach() if call.agent_id is not None:
                self._patch(call)
            case ctl.Ringback() if call.agent_id is not None:
                port = fx.agent_port(self.tenant, call.agent_id)
                self._do(fx.Play(port, f"ringback-{call.call_id}", "tone:ringback", loop=True))
            case ctl.Bridge() if call.agent_id is not None:
                self._do(fx.StopPlay(fx.agent_port(self.tenant, call.agent_id)))
                self._talk(call, self.team.agent(call.agent_id), now)
            case ctl.Timer(name=name, after_s=after_s):
                self._timer(call, f"ctl:{name}", now + after_s)
            case ctl.Identify():
                self._identify(call, now)
            case ctl.HangUp():
                self.hang_up(call, "system", now)

    def _identify(self, call: Call, now: float) -> None:
        if call.state is not CallState.WAITING:
            return
        call.step(CallInput.NO_AGENT, now)
        call.abandoned = True
        self._observe(call, "abandon", now, now - (call.answered_at or now))
        if call.prompt:
            self._do(fx.Play(fx.call_port(call.call_id), f"identify-{call.call_id}", call.prompt))
            self._timer(call, "identify", now + IDENTIFY_S)
        else:
            self.hang_up(call, "system", now)
        self._changed(call)

    def _agent_free(self, agent: Agent, now: float) -> None:
        """Give a free agent the call of his campaigns that has waited longest."""
        waiting = [
            c
            for c in self.calls.values()
            if c.state is CallState.WAITING
            and c.control == "dialed"
            and c.campaign_id in agent.campaigns
            and c.hanging_up_since is None
        ]
        if waiting:
            self._connect(min(waiting, key=lambda c: (c.answered_at or 0.0, c.call_id)), agent, now)

    def _agent_lost(self, agent: Agent, now: float) -> None:
        """The agent's audio is gone for good: the customer is not left in silence."""
        if self.lose_agent(agent, now):
            return
        call = self.call_of(agent.user_id)
        if call is not None:
            self.hang_up(call, "system", now)

    # ---------------------------------------------------------------------------------------------------------- media

    def media(self, event: p.MediaEvent, now: float) -> None:
        """An event of the media process about one of this enterprise's ports or recordings."""
        self.party_media(event, now)
        match event:
            case p.PlayEnded(port_id=port_id, play_id=play_id) if play_id.startswith("identify-"):
                call = self.calls.get(port_id.removeprefix("call-"))
                if call is not None:
                    self.hang_up(call, "system", now)
            case p.RtpSilent(port_id=port_id) if port_id.startswith("call-"):
                call = self.calls.get(port_id.removeprefix("call-"))
                if call is not None:
                    self._silent.add(call.call_id)
                    self._watch_silence(call, now)
            case p.RtpStarted(port_id=port_id) if port_id.startswith("call-"):
                self._silent.discard(port_id.removeprefix("call-"))
                self.timers.cancel(("call", port_id.removeprefix("call-"), "silent"))
            case p.PortStats(port_id=port_id) if port_id.startswith("call-"):
                call = self.calls.get(port_id.removeprefix("call-"))
                if call is not None:
                    call.mos = round(event.mos, 2)
            case p.RecordingEnded(recording_id=recording_id):
                call_id = self.recordings.pop(recording_id, None)
                if call_id is not None:
                    fact = RecordingClosed(recording_id, call_id, round(event.seconds, 3), event.size_bytes)
                    self._do(fx.Fact(fact, call_id))

    # --------------------------------------------------------------------------------------------------------- timers

    def next_deadline(self) -> float | None:
        """When `advance` must be called next, seconds since the epoch."""
        return self.timers.next_deadline()

    def advance(self, now: float) -> None:
        """Fire the timers that are due."""
        while (key := self.timers.due(now)) is not None:
            if key[0] == "call":
                call = self.calls.get(key[1])
                if call is not None:
                    self._call_timer(call, key[2], now)
            elif key[0] == "party":
                self.party_timer(key[1], key[2], now)
            else:
                self.team.timer(key[0], int(key[1]), now)

    def _call_timer(self, call: Call, name: str, now: float) -> None:
        if name.startswith("ctl:"):
            if call.hanging_up_since is not None:
                return  # nothing is decided about a call any more that is being ended
            self._ask(call, ctl.TimerFired(name.removeprefix("ctl:")), now)
        elif name in ("identify", "silent"):
            self.hang_up(call, "system", now)
        else:  # setup, end: the leg has not ended as it must have; end it here
            self._do(fx.HangUpLeg(call.call_id))
            # An INVITE that never went out (Redis away, say) is no try of the lead's.
            unanswered = p.Cause.CONGESTION if call.leg is LegState.NEW else p.Cause.NO_ANSWER
            self._end(call, p.Cause.NORMAL if call.answered_at else unanswered, 0, now, by_us=True)

    # ---------------------------------------------------------------------------------------------------- restoring

    def restore(self, call: Call, now: float) -> None:
        """Take up a saved call of an engine that died. A conversation goes on; anything before it is ended."""
        self.calls[call.call_id] = call
        if call.recording_id:
            self.recordings[call.recording_id] = call.call_id
        if call.state in (CallState.TALKING, CallState.HELD) and call.dialog:
            self.restore_parties(call, now)
            self._patch(call)
            if call.hanging_up_since is not None:
                self._timer(call, "end", now + END_S)
                self._do(fx.HangUpLeg(call.call_id))
                if call.recording_id:
                    self._do(fx.StopRecord(call.recording_id))
            return
        if self.restore_given(call, now):
            return
        if call.dialog is not None:
            self._do(fx.HangUpLeg(call.call_id))
        self._end(call, p.Cause.ENGINE_LOST, 0, now, by_us=True)

    def reconcile(self, now: float) -> list[str]:
        """What stands in a state with no timer and no owner; each is mended here and named. Empty when all is well."""
        found: list[str] = []
        for call in list(self.calls.values()):
            timed = any(self.timers.has("call", call.call_id, t) for t in ("setup", "end", "identify", "ctl:patience"))
            if call.state in (CallState.TALKING, CallState.HELD) and call.hanging_up_since is None:
                agent = self.team.agents.get(call.agent_id or -1)
                if call.agent_id is None and self._others(call):
                    continue
                if agent is None or agent.call is None or agent.call.call_id != call.call_id:
                    found.append(f"call {call.call_id} talks without its agent")
                    self.hang_up(call, "system", now)
            elif not timed and not self.timers.names("party", call.call_id):
                found.append(f"call {call.call_id} is {call.state} without a timer")
                self._end(call, p.Cause.NORMAL, 0, now, by_us=True)
        found += self.reconcile_parties(now)
        for agent in self.team.agents.values():
            if agent.state is AgentState.ON_CALL and (agent.call is None or agent.call.call_id not in self.calls):
                found.append(f"agent {agent.user_id} is on a call that is not there")
                last = agent.call or CallView("", "ended", "out", "", "", now, now)
                self.team.call_over(agent, replace(last, state="ended"), last.connected_at is not None, now)
            elif agent.state is AgentState.WRAP_UP and not self.timers.has("wrap", str(agent.user_id)):
                found.append(f"agent {agent.user_id} is in wrap-up without a timer")
                self.timers.set(("wrap", str(agent.user_id)), now)
            elif agent.state is AgentState.RINGING and not (self._preview_waits(agent) or self.rings_as_party(agent)):
                found.append(f"agent {agent.user_id} is offered a lead that is gone or has no timer")
                if agent.preview:
                    self.timers.set(("preview", str(agent.user_id)), now)
                else:
                    self.team.decline(agent, now)
        return found

    def _preview_waits(self, agent: Agent) -> bool:
        if not agent.preview or agent.call is None:
            return False
        by_hand_only = agent.call.preview_until is None
        return by_hand_only or self.timers.has("preview", str(agent.user_id))


def _plain(dialog: p.Dialog) -> dict[str, object]:
    return {
        "leg_id": dialog.leg_id,
        "trunk_id": dialog.trunk_id,
        "call_id": dialog.call_id,
        "state": dialog.state,
        "headers": dict(dialog.headers),
    }
