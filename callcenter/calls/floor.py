"""The floor: all calls and agents of one enterprise, and everything that can happen to them.

Pure: `now` (seconds since the epoch) and events in, typed effects out (`take`). The floor asks a call's controller at
each turn (`control.py`) and carries out its answers; agents are the team's (`acd/team.py`). The shell around it
(`processes/engine.py`) only moves SIP, media and edge events, timers, commands and effects.

Two rules keep anything from getting stuck. Whoever asks for the end of a call sets a timer that ends it even if the far
end never answers (`END_S`); and every call that is neither talking nor ended has a timer (`reconcile` checks both).
"""

from __future__ import annotations

from dataclasses import replace

from callcenter.acd.agent import Agent, AgentState
from callcenter.acd.team import Team
from callcenter.acd.views import CallView
from callcenter.calls import control as ctl
from callcenter.calls import effects as fx
from callcenter.calls.call import CALL, Call, CallInput, CallState
from callcenter.calls.facts import (
    CallConnected,
    CallDispositioned,
    CallEnded,
    CallStarted,
    RecordingClosed,
    RecordingStarted,
)
from callcenter.calls.leg import LEG, LegInput, LegState
from callcenter.calls.timers import Timers
from callcenter.errors import Conflict
from callcenter.ids import new_id
from callcenter.telephony import ports as p

END_S = 8.0  # from our hang-up to the forced end
SETUP_S = 15.0  # beyond the ring time-out: the adapter must have ended the leg by then
MEDIA_SILENT_S = 30.0
IDENTIFY_S = 25.0  # the longest identification message


class Floor:
    """Calls and agents of enterprise `tenant`."""

    def __init__(self, tenant: int, controls: ctl.Controls) -> None:
        self.tenant = tenant
        self.calls: dict[str, Call] = {}
        self.recordings: dict[str, str] = {}  # recording id → call id
        self._silent: set[str] = set()  # calls whose far end sends no audio
        self.timers = Timers()
        self._controls = controls
        self._out: list[fx.Effect] = []
        self.team = Team(tenant, self.timers, self._out)
        self.team.on_free = self._agent_free
        self.team.on_lost = self._agent_lost

    def take(self) -> list[fx.Effect]:
        """The effects since the last call, in order."""
        out = list(self._out)
        self._out.clear()
        return out

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

    def _leg(self, call: Call, event: LegInput) -> bool:
        """Move the leg; an event out of turn (a 180 after the 200) changes nothing."""
        if not LEG.accepts(call.leg, event):
            return False
        call.leg = LEG.next(call.leg, event)
        return True

    def _ringing(self, call: Call, *, early_media: bool, now: float) -> None:
        call.ringing_at = call.ringing_at or now
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
                self._patch(call, call.agent_id)
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

    def _connect(self, call: Call, agent: Agent, now: float) -> None:
        call.agent_id = agent.user_id
        self.team.take(agent, self._view(call, "talking"), now)
        self._talk(call, agent, now)

    def _talk(self, call: Call, agent: Agent, now: float) -> None:
        call.step(CallInput.BRIDGE, now)
        call.connected_at = now
        self.timers.cancel_all("call", call.call_id)
        self._do(fx.StopPlay(fx.call_port(call.call_id)))
        self._patch(call, agent.user_id)
        if call.record:
            self._record(call, agent.user_id, now)
        answered = call.answered_at or now
        wait_ms = round((now - answered) * 1000)
        self._fact(call, CallConnected(call.call_id, agent.user_id, now, wait_ms))
        self._observe(call, "connect", now, now - answered)
        self._changed(call)
        self._show(call)

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
            if c.state is CallState.WAITING and c.campaign_id in agent.campaigns and c.hanging_up_since is None
        ]
        if waiting:
            self._connect(min(waiting, key=lambda c: (c.answered_at or 0.0, c.call_id)), agent, now)

    def _agent_lost(self, agent: Agent, now: float) -> None:
        """The agent's audio is gone for good: the customer is not left in silence."""
        call = self.call_of(agent.user_id)
        if call is not None:
            self.hang_up(call, "system", now)

    def reattach(self, call: Call) -> None:
        """The agent's audio leg is there again: hear each other as before."""
        if call.agent_id is not None and call.state in (CallState.PLACED, CallState.TALKING):
            self._patch(call, call.agent_id)

    # --------------------------------------------------------------------------------------------------- agent's hand

    def call_of(self, user_id: int) -> Call | None:
        """The call that the agent is on."""
        agent = self.team.agents.get(user_id)
        if agent is None or agent.call is None or agent.state is not AgentState.ON_CALL:
            return None
        return self.calls.get(agent.call.call_id)

    def _own_call(self, user_id: int) -> Call:
        self.team.agent(user_id)
        call = self.call_of(user_id)
        if call is None:
            raise Conflict("You are not on a call.", code="no_call")
        return call

    def agent_hang_up(self, user_id: int, now: float) -> None:
        """The agent ends the call; he is in wrap-up at once, whatever the far end answers. Raises Conflict."""
        self.hang_up(self._own_call(user_id), "agent", now)

    def hold(self, user_id: int, on: bool, now: float) -> None:
        """Hold (music for the customer) or resume. Raises Conflict if there is no conversation."""
        call = self._own_call(user_id)
        wanted = CallInput.HOLD if on else CallInput.RESUME
        if not CALL.accepts(call.state, wanted):
            if call.state in (CallState.TALKING, CallState.HELD):
                return  # it is so already
            raise Conflict("Only a conversation can be held.", code="not_talking")
        call.step(wanted, now)
        port = fx.call_port(call.call_id)
        if on:
            call.held_at = now
            self._do(fx.Room(call.call_id, {}))
            self._do(fx.Play(port, f"hold-{call.call_id}", "hold_music", loop=True))
        else:
            call.hold_s += now - (call.held_at or now)
            call.held_at = None
            self._do(fx.StopPlay(port))
            self._patch(call, user_id)
        self._watch_silence(call, now)
        self._changed(call)
        self._show(call)

    def dtmf(self, user_id: int, digits: str) -> None:
        """Keypad digits to the far end. Raises Conflict."""
        call = self._own_call(user_id)
        if not digits or any(d not in "0123456789*#ABCD" for d in digits) or len(digits) > 32:
            raise Conflict("Only the keys 0-9, * and # can be sent, at most 32 at once.", code="bad_digits")
        self._do(fx.SendDtmf(fx.call_port(call.call_id), digits))

    def dispose(
        self, user_id: int, call_id: str, disposition_id: int, note: str, callback_at: float | None,
        callback_mine: bool, next_state: str, now: float,
    ) -> None:  # fmt: skip
        """The agent's outcome of his present or last call. Raises Conflict if it is another's."""
        agent = self.team.agent(user_id)
        if agent.call is None or agent.call.call_id != call_id:
            raise Conflict("This call is no longer yours to finish.", code="not_your_call")
        view = agent.call
        fact = CallDispositioned(
            call_id, user_id, view.campaign_id, view.lead_id, view.customer_id, view.phone_e164, disposition_id, note,
            callback_at, callback_mine,
        )  # fmt: skip
        self._do(fx.Fact(fact, call_id))
        self.team.disposed(agent, next_state, now)

    # -------------------------------------------------------------------------------------------------------- the end

    def hang_up(self, call: Call, by: str, now: float) -> None:
        """Ask for the end of a call; its agent is freed at once, and the call ends in END_S at the latest."""
        if call.state is CallState.ENDED or call.hanging_up_since is not None:
            return
        call.hanging_up_since = now
        call.hung_up_by = by
        self._do(fx.HangUpLeg(call.call_id))
        self._do(fx.Room(call.call_id, {}))
        if call.recording_id:  # the agent's next words belong to another call
            self._do(fx.StopRecord(call.recording_id))
        self._timer(call, "end", now + END_S)
        self._release_agent(call, now)
        self._changed(call)

    def _release_agent(self, call: Call, now: float) -> bool:
        """Take the call's agent off it; False if he is off it already."""
        agent = self._agent_of(call)
        if agent is None or agent.state is not AgentState.ON_CALL:
            return False
        self._do(fx.StopPlay(fx.agent_port(self.tenant, agent.user_id)))
        self.team.call_over(agent, self._view(call, "ended", ended_at=now), call.connected_at is not None, now)
        return True

    def _tell_cause(self, call: Call) -> None:
        """The call had ended for its agent before the far end said how."""
        agent = self._agent_of(call)
        if agent is not None and agent.call is not None:
            self.team.show_call(agent, replace(agent.call, cause=call.cause))

    def _agent_of(self, call: Call) -> Agent | None:
        agent = self.team.agents.get(call.agent_id) if call.agent_id is not None else None
        if agent is None or agent.call is None or agent.call.call_id != call.call_id:
            return None
        return agent

    def _end(self, call: Call, cause: p.Cause, status: int, now: float, *, by_us: bool = False) -> None:
        if call.state is CallState.ENDED:
            return
        was = call.state
        if call.held_at is not None:
            call.hold_s += now - call.held_at
        withdrawn = was is CallState.WAITING and call.hanging_up_since is not None  # the answer crossed our CANCEL
        if withdrawn and cause is p.Cause.NORMAL:
            cause = p.Cause.CANCELLED
        call.step(CallInput.END, now)
        call.cause = cause.value
        if not call.hung_up_by:
            call.hung_up_by = "system" if by_us else "customer"
        if call.connected_at is not None:
            outcome = "connected"
        elif call.abandoned or (was is CallState.WAITING and not withdrawn):
            outcome = "abandoned"
        else:
            outcome = cause.value
        if was is CallState.WAITING and not call.abandoned and not withdrawn:
            call.abandoned = True
            self._observe(call, "abandon", now, now - (call.answered_at or now))
        elif was is CallState.PLACED:
            kind = {p.Cause.BUSY: "busy", p.Cause.INVALID: "invalid"}.get(cause, "no_answer")
            self._observe(call, kind, now, now - call.started_at)
        if call.recording_id and call.hanging_up_since is None:
            self._do(fx.StopRecord(call.recording_id))
        self._do(fx.Room(call.call_id, {}))
        self._do(fx.ClosePort(call.call_id))
        wait_ms = None
        if call.answered_at is not None and call.agent_id is not None and call.connected_at is not None:
            wait_ms = round((call.connected_at - call.answered_at) * 1000)
        self._fact(
            call,
            CallEnded(
                call.call_id, call.mode, call.number, call.caller_id, call.trunk_id, call.campaign_id, call.lead_id,
                call.customer_id, call.agent_id, call.started_at, call.ringing_at, call.answered_at, call.connected_at,
                now, outcome, cause.value, status, call.hung_up_by, wait_ms, round(call.hold_s, 3), call.mos,
            ),
        )  # fmt: skip
        self._do(fx.CallGone(call.call_id, call.trunk_id, call.lead_id))
        self.timers.cancel_all("call", call.call_id)
        self._silent.discard(call.call_id)
        if not self._release_agent(call, now):
            self._tell_cause(call)
        del self.calls[call.call_id]

    # ---------------------------------------------------------------------------------------------------------- media

    def media(self, event: p.MediaEvent, now: float) -> None:
        """An event of the media process about one of this enterprise's ports or recordings."""
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

    def _watch_silence(self, call: Call, now: float) -> None:
        """A silent far end is gone, unless one of the two has put the call on hold. Told once, so kept."""
        if call.call_id not in self._silent or call.leg is not LegState.ANSWERED or call.state is not CallState.TALKING:
            self.timers.cancel(("call", call.call_id, "silent"))
        elif not self.timers.has("call", call.call_id, "silent"):
            self._timer(call, "silent", now + MEDIA_SILENT_S)

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
            if call.agent_id is not None and call.state is CallState.TALKING and call.hanging_up_since is None:
                self._patch(call, call.agent_id)
            if call.hanging_up_since is not None:
                self._timer(call, "end", now + END_S)
                self._do(fx.HangUpLeg(call.call_id))
                if call.recording_id:
                    self._do(fx.StopRecord(call.recording_id))
            return
        if call.dialog is not None:
            self._do(fx.HangUpLeg(call.call_id))
        self._end(call, p.Cause.ENGINE_LOST, 0, now, by_us=True)

    def lost(self, call_id: str, cause: p.Cause, now: float) -> None:
        """The shell could not go on with a call (no media port, for one): it ends with `cause`."""
        call = self.calls.get(call_id)
        if call is not None:
            self._leg(call, LegInput.END)
            self._end(call, cause, 0, now, by_us=True)

    def reconcile(self, now: float) -> list[str]:
        """What stands in a state with no timer and no owner; each is mended here and named. Empty when all is well."""
        found: list[str] = []
        for call in list(self.calls.values()):
            timed = any(self.timers.has("call", call.call_id, t) for t in ("setup", "end", "identify", "ctl:patience"))
            if call.state in (CallState.TALKING, CallState.HELD) and call.hanging_up_since is None:
                agent = self.team.agents.get(call.agent_id or -1)
                if agent is None or agent.call is None or agent.call.call_id != call.call_id:
                    found.append(f"call {call.call_id} talks without its agent")
                    self.hang_up(call, "system", now)
            elif not timed:
                found.append(f"call {call.call_id} is {call.state} without a timer")
                self._end(call, p.Cause.NORMAL, 0, now, by_us=True)
        for agent in self.team.agents.values():
            if agent.state is AgentState.ON_CALL and (agent.call is None or agent.call.call_id not in self.calls):
                found.append(f"agent {agent.user_id} is on a call that is not there")
                last = agent.call or CallView("", "ended", "out", "", "", now, now)
                self.team.call_over(agent, replace(last, state="ended"), last.connected_at is not None, now)
            elif agent.state is AgentState.WRAP_UP and not self.timers.has("wrap", str(agent.user_id)):
                found.append(f"agent {agent.user_id} is in wrap-up without a timer")
                self.timers.set(("wrap", str(agent.user_id)), now)
            elif agent.state is AgentState.RINGING and not self._preview_waits(agent):
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

    # --------------------------------------------------------------------------------------------------------- inside

    def _record(self, call: Call, user_id: int, now: float) -> None:
        call.recording_id = new_id(now)
        self.recordings[call.recording_id] = call.call_id
        path = f"live/{self.tenant}/{call.recording_id}.wav"
        self._fact(call, RecordingStarted(call.recording_id, call.call_id, path, now))
        self._do(
            fx.Record(call.recording_id, call.call_id, fx.agent_port(self.tenant, user_id), fx.call_port(call.call_id))
        )

    def _patch(self, call: Call, user_id: int) -> None:
        agent, customer = fx.agent_port(self.tenant, user_id), fx.call_port(call.call_id)
        self._do(fx.Room(call.call_id, {agent: (customer,), customer: (agent,)}))

    def _view(self, call: Call, state: str, ended_at: float | None = None) -> CallView:
        if state == "talking" and call.state is CallState.HELD:
            state = "held"
        elif state == "talking" and call.leg is LegState.HELD:
            state = "far_hold"
        return CallView(
            call_id=call.call_id, state=state, direction="out", mode=call.mode, phone_e164=call.number,
            since=call.state_since, started_at=call.started_at, connected_at=call.connected_at, ended_at=ended_at,
            campaign_id=call.campaign_id, campaign_name=self.team.rules_of(call.campaign_id).name,
            lead_id=call.lead_id, customer_id=call.customer_id, card=call.card,
            recording=bool(call.recording_id) and ended_at is None, cause=call.cause,
        )  # fmt: skip

    def _show(self, call: Call, state: str = "talking") -> None:
        """Bring the view of the call's agent up to date."""
        agent = self.team.agents.get(call.agent_id) if call.agent_id is not None else None
        if agent is not None and agent.state is AgentState.ON_CALL and agent.call is not None:
            view = self._view(call, state)
            self.team.show_call(agent, replace(view, dispositioned=agent.call.dispositioned))

    def _timer(self, call: Call, name: str, at: float) -> None:
        self.timers.set(("call", call.call_id, name), at)

    def _observe(self, call: Call, kind: str, at: float, value: float) -> None:
        if call.campaign_id is not None and call.control == "dialed":
            self._do(fx.Observed(call.campaign_id, kind, at, value))

    def _fact(self, call: Call, fact: object) -> None:
        self._do(fx.Fact(fact, call.call_id))

    def _changed(self, call: Call) -> None:
        self._do(fx.CallChanged(call.call_id))

    def _do(self, effect: fx.Effect) -> None:
        self._out.append(effect)


def _plain(dialog: p.Dialog) -> dict[str, object]:
    return {
        "leg_id": dialog.leg_id,
        "trunk_id": dialog.trunk_id,
        "call_id": dialog.call_id,
        "state": dialog.state,
        "headers": dict(dialog.headers),
    }
