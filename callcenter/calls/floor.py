"""The floor: all calls and agents of one enterprise, and everything that can happen to them.

Pure: `now` (seconds since the epoch) and events in, typed effects out (`take`). The floor asks a call's controller at
each turn (`control.py`) and carries out its answers (`turns.py`); agents are the team's (`acd/team.py`), their commands
are in `hands.py`, `supervision.py` and `transfers.py`, calls that wait in `lobby.py`, and how a call ends is in
`book.py`. The shell around it (`processes/engine`) only moves SIP, media and edge events, timers, commands and effects.

Two rules keep anything from getting stuck. Whoever asks for the end of a call sets a timer that ends it even if the far
end never answers (`END_S`); and every call that is neither talking nor ended has a timer (`reconcile` checks both).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from callcenter.acd.agent import Agent, AgentState
from callcenter.acd.control import ACD
from callcenter.acd.settings import QueueSettings
from callcenter.acd.views import CallView
from callcenter.calls import control as ctl
from callcenter.calls import effects as fx
from callcenter.calls.book import END_S
from callcenter.calls.call import Call, CallInput, CallState
from callcenter.calls.destination import Destination, DestinationKind
from callcenter.calls.facts import CallStarted
from callcenter.calls.leg import LegInput, LegState
from callcenter.calls.lobby import AGENT_WAIT_S
from callcenter.calls.owners import Owners
from callcenter.calls.trying import TRY
from callcenter.calls.turns import HEARING
from callcenter.telephony import ports as p

SETUP_S = 15.0  # beyond the ring time-out: the adapter must have ended the leg by then
RESUMED_S = 7200.0  # a successor does not know how long it was to stay
RESUMED_VOICE_S = 120.0
ACK_S = 35.0  # from our answer to the caller's ACK
REFUSALS = {DestinationKind.REFUSE: (603, "Decline"), DestinationKind.HANG_UP: (480, "Temporarily Unavailable")}
SENDS_NOTHING = frozenset({"recvonly", "inactive"})  # directions as their author sees them
TIMED = frozenset({"setup", "end", "identify", "stay", "ctl:patience"})  # one of these ends what is no conversation


class Floor(Owners):
    """Calls and agents of enterprise `tenant`. `queue_settings` is shared with `AcdControl`."""

    def __init__(
        self, tenant: int, controls: ctl.Controls, queue_settings: dict[int, QueueSettings] | None = None, seed: int = 1
    ) -> None:
        super().__init__(tenant, controls, queue_settings, seed)
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

    def arrive(self, call: Call, to: Destination, now: float, data: Mapping[str, Any] | None = None) -> None:
        """A call has come in (180 is sent) and goes to `to`. It is answered at once, unless it is refused. `data` as in
        `control.HandOver`."""
        call.state_since = now
        call.direction = "in"
        call.ringing_at = now
        self._leg(call, LegInput.SENT)
        self._leg(call, LegInput.RING)
        self.calls[call.call_id] = call
        self._fact(
            call,
            CallStarted(
                call.call_id, call.mode, call.number, call.caller_id, call.trunk_id, call.campaign_id, call.lead_id,
                call.customer_id, None, call.started_at, "in", call.did,
            ),
        )  # fmt: skip
        self._timer(call, "setup", now + ACK_S)
        if to.kind in REFUSALS:
            self._do(fx.RefuseLeg(call.call_id, *REFUSALS[to.kind]))
        else:
            call.bound_for = {"kind": to.kind.value, "id": to.id, "number": to.number, "data": dict(data or {})}
            self._do(fx.AnswerLeg(call.call_id))
        self._changed(call)

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
                    call.dialog, call.sends_nothing = _plain(dialog), event.sdp.direction in SENDS_NOTHING
                    self._answered(call, now)
            case p.LegUpdated(sdp=sdp):
                held = sdp.direction in ("sendonly", "inactive")
                call.sends_nothing = sdp.direction in SENDS_NOTHING
                if self._leg(call, LegInput.HOLD if held else LegInput.RESUME):
                    self._show(call)
                self._watch_silence(call, now)
            case p.LegAsked(alive=alive):
                self._asked(call, alive, now)
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
        elif call.direction == "in":
            bound, call.bound_for = call.bound_for, {}
            to = Destination(DestinationKind(bound["kind"]), bound["id"], bound["number"])
            self.divert(call, to, now, bound["data"])
        else:
            if call.control == "dialed":
                self._observe(call, "live", now, now - call.started_at)
            self._ask(call, ctl.Answered(), now)
        self._changed(call)

    # ---------------------------------------------------------------------------------------------------------- agents

    def _agent_free(self, agent: Agent, now: float) -> None:
        """Give a free agent a dialed call of his campaigns that waits (it may do so for two seconds by law), else who
        waits for him or in his queues."""
        waiting = [
            c
            for c in self.calls.values()
            if c.state is CallState.WAITING
            and c.control == "dialed"
            and c.campaign_id in agent.campaigns
            and c.hanging_up_since is None
        ]
        if waiting and agent.user_id not in self.team.withheld:
            self._connect(min(waiting, key=lambda c: (c.answered_at or 0.0, c.call_id)), agent, now)
        else:
            self._serve(agent, now)

    def force_state(self, user_id: int, state: str, reason: str, hang_up: bool, now: float) -> None:
        """A supervisor changes an agent's state, even if he owes an outcome. Raises Conflict, NotFound."""
        call = self.call_of(user_id)
        if hang_up and call is not None and call.agent_id == user_id:
            self.hang_up(call, "system", now)
        self.team.set_state(user_id, state, reason, now, forced=True)

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
        self._caller_media(event, now)
        match event:
            case p.PlayEnded(port_id=port_id, play_id=play_id) if play_id.startswith("identify-"):
                call = self.calls.get(port_id.removeprefix("call-"))
                if call is not None:
                    self.hang_up(call, "system", now)
            case p.RtpSilent(port_id=port_id) if port_id.startswith("call-"):
                call = self.calls.get(port_id.removeprefix("call-"))
                if call is not None:
                    self._silent.setdefault(call.call_id, -1)
                    self._watch_silence(call, now, event.silent_s)
            case p.RtpStarted(port_id=port_id) if port_id.startswith("call-"):
                self._heard_again(port_id.removeprefix("call-"))
            case p.PortStats(port_id=port_id) if port_id.startswith("call-"):
                call = self.calls.get(port_id.removeprefix("call-"))
                if call is not None:
                    self._counted(call, event.received)
                    call.mos = round(event.mos, 2)
                    call.quality["customer"] = _heard(event)
            case p.RecordingEnded():
                self._recording_ended(event, now)

    # --------------------------------------------------------------------------------------------------------- timers

    def next_deadline(self) -> float | None:
        """When `advance` must be called next, seconds since the epoch."""
        deadlines = [d for d in (self.timers.next_deadline(), self.queues.next_deadline()) if d is not None]
        return min(deadlines, default=None)

    def advance(self, now: float) -> None:
        """Fire the timers that are due."""
        while (key := self.timers.due(now)) is not None:
            if key[0] == "call":
                call = self.calls.get(key[1])
                if call is not None:
                    self._call_timer(call, key[2], now)
            elif key[0] == "party":
                self.party_timer(key[1], key[2], now)
            elif key[0] == "ticket":
                self._ticket_timer(key[1], key[2], now)
            else:
                self.team.timer(key[0], int(key[1]), now)
        while (due := self.queues.next_due(now)) is not None:
            self._queue_is_due(due, now)

    def _call_timer(self, call: Call, name: str, now: float) -> None:
        if self._lobby_timer(call, name, now) or self._turn_timer(call, name, now):
            return
        if name == "silent":
            self._do(fx.AskLeg(call.call_id))
        elif name in ("identify", "stay"):
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
        self._silent[call.call_id] = -1  # whether it was silent nobody knows: heard from by its first figures, or asked
        self._watch_silence(call, now)
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
        if call.answering and call.hanging_up_since is None:
            self._timer(call, "setup", now + ACK_S)
            return
        if self.restore_given(call, now) or self._restore_waiting(call, now):
            return
        if call.dialog is not None:
            self._do(fx.HangUpLeg(call.call_id))
        self._end(call, p.Cause.ENGINE_LOST, 0, now, by_us=True)

    def _restore_waiting(self, call: Call, now: float) -> bool:
        """A caller in a queue, a menu or at a voicemail box is there again, in his place; `resume` goes on with him."""
        control = self._controls.find(call.control)
        if call.dialog is None or call.state not in HEARING or call.hanging_up_since is not None or control is None:
            return False
        if control.name == "dialed":
            return False
        self._end_offer(call, "gone", now)
        if call.voice:
            rid = str(call.voice["recording_id"])
            self.recordings[rid], self._voices[rid] = call.call_id, call
            self._timer(call, "voice", now + RESUMED_VOICE_S)
        self._timer(call, "stay", now + RESUMED_S)
        if call.control == ACD and call.queue_id is not None and call.entered_at is not None and not call.abandoned:
            if call.queue_id in self.queue_settings:
                self._join(call, call.entered_at)
            else:
                self.divert(call, Destination(DestinationKind.VOICEMAIL), now)
        elif call.for_agent is not None:
            self._timer(call, "reach", now + AGENT_WAIT_S)
        return True

    def resume(self, now: float) -> None:
        """All calls and kept places are taken up: controllers go on, and free agents get who is next."""
        for call in list(self.calls.values()):
            if call.state in HEARING and call.hanging_up_since is None:
                self._ask(call, ctl.Resumed(), now)
        self.tell_owners()
        self.give_out(now)
        for queue_id in self.queue_settings:
            self._do(fx.QueueChanged(queue_id))
        for agent in list(self.team.agents.values()):
            if agent.free:
                self._agent_free(agent, now)

    def reconcile(self, now: float) -> list[str]:
        """What stands in a state with no timer and no owner; each is mended here and named. Empty when all is well."""
        found: list[str] = []
        for call in list(self.calls.values()):
            self._watch_silence(call, now)  # who was given away or taken back while he was silent still is
            timed = not TIMED.isdisjoint(self.timers.names("call", call.call_id))
            if call.state in (CallState.TALKING, CallState.HELD) and call.hanging_up_since is None:
                agent = self.team.agents.get(call.agent_id or -1)
                if call.agent_id is None and self._others(call):
                    continue
                if agent is None or agent.call is None or agent.call.call_id != call.call_id:
                    found.append(f"call {call.call_id} talks without its agent")
                    self.hang_up(call, "system", now)
            elif not timed and not self.timers.names("party", call.call_id):
                found.append(f"call {call.call_id} is {call.state} without a timer")
                if call.mode != TRY:
                    self._do(fx.HangUpLeg(call.call_id))
                self._end(call, p.Cause.NORMAL, 0, now, by_us=True)
        found += self.reconcile_parties(now)
        for call_id, user_id in self.queues.pairs(self._free, now, self._rng):
            found.append(f"call {call_id} waits although agent {user_id} is free")
        if found:
            self.give_out(now)
        for agent in self.team.agents.values():
            if agent.state is AgentState.ON_CALL and (agent.call is None or agent.call.call_id not in self.calls):
                found.append(f"agent {agent.user_id} is on a call that is not there")
                last = agent.call or CallView("", "ended", "out", "", "", now, now)
                self.team.call_over(agent, replace(last, state="ended"), last.connected_at is not None, now)
            elif agent.state is AgentState.WRAP_UP and not self.timers.has("wrap", str(agent.user_id)):
                found.append(f"agent {agent.user_id} is in wrap-up without a timer")
                self.timers.set(("wrap", str(agent.user_id)), now)
            elif agent.state is AgentState.RINGING and not (
                self._preview_waits(agent) or self.rings_as_party(agent) or self._offer_waits(agent)
            ):
                found.append(f"agent {agent.user_id} is offered a lead that is gone or has no timer")
                if agent.preview:
                    self.timers.set(("preview", str(agent.user_id)), now)
                else:
                    self.team.decline(agent, now)
        return found

    def _offer_waits(self, agent: Agent) -> bool:
        call = self._ringing_at(agent.user_id)
        return call is not None and not {"offer", "answer"}.isdisjoint(self.timers.names("call", call.call_id))

    def _preview_waits(self, agent: Agent) -> bool:
        if not agent.preview or agent.call is None:
            return False
        by_hand_only = agent.call.preview_until is None
        return by_hand_only or self.timers.has("preview", str(agent.user_id))


def _heard(stats: p.PortStats) -> dict[str, float]:
    """How well the far end was heard, and (where it says so) heard us."""
    total = stats.lost + stats.received
    out = {"loss": stats.lost / total if total else 0.0, "jitter_ms": stats.jitter_ms, "mos": stats.mos}
    if stats.remote_loss is not None:
        out["remote_loss"] = stats.remote_loss
    if stats.round_trip_ms is not None:
        out["round_trip_ms"] = stats.round_trip_ms
    return {name: round(value, 4) for name, value in out.items()}


def _plain(dialog: p.Dialog) -> dict[str, object]:
    return {
        "leg_id": dialog.leg_id,
        "trunk_id": dialog.trunk_id,
        "call_id": dialog.call_id,
        "state": dialog.state,
        "headers": dict(dialog.headers),
    }
