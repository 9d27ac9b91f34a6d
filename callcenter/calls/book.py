"""The book of calls: what is kept of them, how they are shown, and how they end.

The lowest of three layers (`book.py` ← `hands.py` ← `floor.py`). Everything that ends a call comes through here, so
that a call ends once, with one CDR, its agent freed, its recording closed and its port given back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from callcenter.acd.agent import Agent, AgentState
from callcenter.acd.team import Team
from callcenter.acd.views import CallView
from callcenter.calls import control as ctl
from callcenter.calls import effects as fx
from callcenter.calls.call import Call, CallInput, CallState
from callcenter.calls.destination import Destination
from callcenter.calls.facts import CallConnected, CallEnded, RecordingStarted
from callcenter.calls.leg import LEG, LegInput, LegState
from callcenter.calls.mix import hears
from callcenter.calls.timers import Timers
from callcenter.ids import new_id
from callcenter.telephony import ports as p

END_S = 8.0  # from our hang-up to the forced end
SILENT_S = 30.0  # a far end of which nothing is heard for so long is asked whether it is there


class Book(ABC):
    """Calls and agents of enterprise `tenant`, and the effects that wait to be carried out."""

    def __init__(self, tenant: int) -> None:
        self.tenant = tenant
        self.calls: dict[str, Call] = {}
        self.recordings: dict[str, str] = {}  # recording id → call id
        self.silent_s = SILENT_S
        self._silent: dict[str, int] = {}  # calls whose far end sends nothing, with the packets that it had sent
        self.timers = Timers()
        self._out: list[fx.Effect] = []
        self.team = Team(tenant, self.timers, self._out)

    def take(self) -> list[fx.Effect]:
        """The effects since the last call, in order."""
        out = list(self._out)
        self._out.clear()
        return out

    def call_of(self, user_id: int) -> Call | None:
        """The call that the agent is on."""
        agent = self.team.agents.get(user_id)
        if agent is None or agent.call is None or agent.state is not AgentState.ON_CALL:
            return None
        return self.calls.get(agent.call.call_id)

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
        self._withdraw(call, "ended", now)
        self._dismiss(call, now)
        self._release_agent(call, now)
        self._changed(call)

    def lost(self, call_id: str, cause: p.Cause, now: float) -> None:
        """The shell could not go on with a call (no media port, for one): it ends with `cause`."""
        call = self.calls.get(call_id)
        if call is not None:
            self._leg(call, LegInput.END)
            self._end(call, cause, 0, now, by_us=True)

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
        self._withdraw(call, "ended" if by_us or call.hanging_up_since is not None else "abandoned", now)
        if call.held_at is not None:
            call.hold_s += now - call.held_at
        withdrawn = was is CallState.WAITING and call.hanging_up_since is not None  # the answer crossed our CANCEL
        if withdrawn and cause is p.Cause.NORMAL and call.direction == "out":
            cause = p.Cause.CANCELLED
        call.step(CallInput.END, now)
        call.cause = cause.value
        if not call.hung_up_by:
            call.hung_up_by = "system" if by_us else "customer"
        outcome = _outcome(call, was, cause, withdrawn)
        if was is CallState.WAITING and not call.abandoned and not withdrawn:
            call.abandoned = True
            self._observe(call, "abandon", now, now - (call.answered_at or now))
        elif was is CallState.PLACED:
            kind = {p.Cause.BUSY: "busy", p.Cause.INVALID: "invalid"}.get(cause, "no_answer")
            self._observe(call, kind, now, now - call.started_at)
        if call.recording_id and call.hanging_up_since is None:
            self._do(fx.StopRecord(call.recording_id))
        self._dismiss(call, now)
        self._do(fx.Room(call.call_id, {}))
        self._do(fx.ClosePort(call.call_id))
        agent_id = call.agent_id if call.agent_id is not None else call.last_agent
        wait_ms = None
        if call.answered_at is not None and agent_id is not None and call.connected_at is not None:
            wait_ms = round((call.connected_at - call.answered_at) * 1000)
        self._fact(
            call,
            CallEnded(
                call.call_id, call.mode, call.number, call.caller_id, call.trunk_id, call.campaign_id, call.lead_id,
                call.customer_id, agent_id, call.started_at, call.ringing_at, call.answered_at, call.connected_at,
                now, outcome, cause.value, status, call.hung_up_by, wait_ms, round(call.hold_s, 3), call.mos,
                call.direction, call.did, call.queue_id,
                round(call.queue_wait_s, 3) if call.queued_at is not None else None, tuple(call.path), call.shown,
                self._quality(call, agent_id),
            ),
        )  # fmt: skip
        self._do(fx.CallGone(call.call_id, call.trunk_id, call.lead_id))
        self.timers.cancel_all("call", call.call_id)
        self._silent.pop(call.call_id, None)
        if not self._release_agent(call, now):
            self._tell_cause(call)
        del self.calls[call.call_id]

    # ------------------------------------------------------------------------------------------ what layers above do

    @abstractmethod
    def _ask(self, call: Call, turn: ctl.Turn, now: float) -> None:
        """Ask the call's controller and carry out its answers (`floor.py`)."""

    @abstractmethod
    def divert(self, call: Call, to: Destination, now: float, data: Mapping[str, Any] | None = None) -> None:
        """Carry an answered call to `to`, out of whatever it is in (`floor.py`). Its agent must be off it already.
        `data` as in `control.HandOver`."""

    @abstractmethod
    def _withdraw(self, call: Call, how: str, now: float) -> None:
        """The call is not waiting any more: out of its queue, and no agent rings for it (`lobby.py`). `how` as in
        `facts.CallLeftQueue`. Harmless for a call that does not wait."""

    @abstractmethod
    def _dismiss(self, call: Call, now: float) -> None:
        """The call ends: everybody else in it is let go, its parking slot is free (`parties.py`). Harmless twice."""

    @abstractmethod
    def _welcome(self, call: Call, now: float) -> None:
        """The call has its agent: who supervises him hears it too (`supervision.py`)."""

    # ----------------------------------------------------------------------------------------------------- connecting

    def _connect(self, call: Call, agent: Agent, now: float) -> None:
        """A free (or ringing) agent and an answered call hear each other from now on."""
        call.agent_id = agent.user_id
        self.team.take(agent, self._view(call, "talking"), now)
        self._talk(call, agent, now)

    def _talk(self, call: Call, agent: Agent, now: float) -> None:
        call.step(CallInput.BRIDGE, now)
        call.connected_at = call.connected_at or now
        self.timers.cancel_all("call", call.call_id)
        self._do(fx.StopPlay(call.port))
        self._watch_silence(call, now)
        self._welcome(call, now)
        self._patch(call)
        if call.record:
            self._record(call, agent.user_id, now)
        answered = call.answered_at or now
        wait_ms = round((now - answered) * 1000)
        self._fact(call, CallConnected(call.call_id, agent.user_id, now, wait_ms))
        self._observe(call, "connect", now, now - answered)
        self._changed(call)
        self._show(call)

    # --------------------------------------------------------------------------------------------------------- inside

    def _quality(self, call: Call, agent_id: int | None) -> dict[str, dict[str, float]]:
        """The customer's side as it was told last, and the agent's phone as it is now."""
        out = dict(call.quality)
        agent = self.team.agents.get(agent_id or -1)
        if agent is not None and call.connected_at is not None:
            phone = agent.phone
            known = {n: getattr(phone, n) for n in ("loss", "jitter_ms", "round_trip_ms", "mos")}
            if figures := {n: round(v, 4) for n, v in known.items() if v is not None}:
                out["agent"] = figures
        return out

    def _leg(self, call: Call, event: LegInput) -> bool:
        """Move the leg; an event out of turn (a 180 after the 200) changes nothing."""
        if not LEG.accepts(call.leg, event):
            return False
        call.leg = LEG.next(call.leg, event)
        return True

    def _record(self, call: Call, user_id: int, now: float) -> None:
        """Record the agent on the left and the customer on the right; a recording that runs changes its agent."""
        if call.recording_id:
            self._do(fx.RetargetRecord(call.recording_id, fx.agent_port(self.tenant, user_id), call.port))
            return
        call.recording_id = new_id(now)
        self.recordings[call.recording_id] = call.call_id
        path = f"live/{self.tenant}/{call.recording_id}.wav"
        self._fact(call, RecordingStarted(call.recording_id, call.call_id, path, now))
        self._do(
            fx.Record(call.recording_id, call.call_id, fx.agent_port(self.tenant, user_id), fx.call_port(call.call_id))
        )

    def _patch(self, call: Call) -> None:
        """Let everybody in the call hear whom they must."""
        self._do(fx.Room(call.call_id, hears(call, self.tenant)))

    def _view(self, call: Call, state: str, ended_at: float | None = None) -> CallView:
        if state == "talking" and call.state is CallState.HELD:
            state = "held"
        elif state == "talking" and call.leg is LegState.HELD:
            state = "far_hold"
        return CallView(
            call_id=call.call_id, state=state, direction=call.direction, mode=call.mode, phone_e164=call.number,
            since=call.state_since, started_at=call.started_at, connected_at=call.connected_at, ended_at=ended_at,
            campaign_id=call.campaign_id, campaign_name=self.team.rules_of(call.campaign_id).name,
            lead_id=call.lead_id, customer_id=call.customer_id, card=call.card,
            recording=bool(call.recording_id) and ended_at is None, cause=call.cause, did=call.did,
            queue_id=call.queue_id, queue_name=self.team.queue_name(call.queue_id), queued_at=call.queued_at,
            path=tuple(call.path), shown=dict(call.shown), matches=tuple(call.caller.get("matches") or ()),
        )  # fmt: skip

    def _show(self, call: Call, state: str = "talking") -> None:
        """Bring the view of the call's agent up to date."""
        agent = self._agent_of(call)
        if agent is not None and agent.state is AgentState.ON_CALL and agent.call is not None:
            view = self._view(call, state)
            self.team.show_call(agent, replace(view, dispositioned=agent.call.dispositioned))

    def _watch_silence(self, call: Call, now: float, for_s: float = 0.0) -> None:
        """A far end that has sent nothing for `for_s` is asked whether it is there once SILENT_S are full; unless it
        holds the call, or has said that it sends nothing. Its silence is told once, so it is kept."""
        answered = call.leg is LegState.ANSWERED and not call.sends_nothing and call.hanging_up_since is None
        if call.call_id not in self._silent or not answered:
            self.timers.cancel(("call", call.call_id, "silent"))
        elif not self.timers.has("call", call.call_id, "silent"):
            self._timer(call, "silent", now + max(0.0, self.silent_s - for_s))

    def _heard_again(self, call_id: str) -> None:
        self._silent.pop(call_id, None)
        self.timers.cancel(("call", call_id, "silent"))

    def _counted(self, call: Call, received: int) -> None:
        """How many packets the far end of a call has sent: one that goes on sending is not silent (a successor does
        not know when a silence began)."""
        before = self._silent.get(call.call_id)
        if before is not None and 0 <= before < received:
            self._heard_again(call.call_id)
        elif before is not None:
            self._silent[call.call_id] = received

    def _asked(self, call: Call, alive: bool, now: float) -> None:
        """The far end of a silent call was asked. One that is there is asked again later; else the caller's cable was
        pulled: the call ends."""
        if alive:
            self.timers.cancel(("call", call.call_id, "silent"))
            self._watch_silence(call, now)
        elif call.call_id in self._silent and call.hanging_up_since is None:
            call.hung_up_by = call.hung_up_by or "system"
            self._do(fx.HangUpLeg(call.call_id))
            self._leg(call, LegInput.END)
            self._end(call, p.Cause.LOST, 0, now)

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


def _outcome(call: Call, was: CallState, cause: p.Cause, withdrawn: bool) -> str:
    """The CDR's word for how a call that was `was` came out."""
    if call.connected_at is not None:
        return "connected"
    if call.result:
        return call.result
    if call.abandoned or was is CallState.VOICEMAIL or (was is CallState.WAITING and not withdrawn):
        return "abandoned"
    if was is CallState.WAITING and call.direction == "in":
        return "abandoned"
    return "menu" if was is CallState.MENU else cause.value
