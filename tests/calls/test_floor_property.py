"""Random orders of everything that can happen: nobody gets stuck, nothing is counted twice."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from callcenter.acd.agent import AgentState
from callcenter.acd.settings import Blending, Overflow
from callcenter.acd.views import CallView
from callcenter.calls import effects as fx
from callcenter.calls import facts as f
from callcenter.calls.call import Call, CallState
from callcenter.calls.destination import Destination, DestinationKind
from callcenter.errors import AppError
from callcenter.fsm import IllegalEvent
from callcenter.telephony import ports as p
from tests.calls.lobby_world import HELP, SALES, TO_HELP, TO_SALES, TO_VOICEMAIL, LobbyWorld
from tests.calls.world import CAMPAIGN, SDP

CAUSES = st.sampled_from([p.Cause.BUSY, p.Cause.NO_ANSWER, p.Cause.INVALID, p.Cause.NORMAL, p.Cause.CONGESTION])
HANDS = (
    "answer", "decline", "hang_up", "hold", "resume", "available", "paused", "offline", "pause_after", "dispose",
)  # fmt: skip
AGENTS = 3
PLACES = [TO_SALES, TO_HELP, TO_VOICEMAIL, Destination(DestinationKind.AGENT, 2)]


class Shift(RuleBasedStateMachine):
    """Three agents, any number of calls, every event at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.w = LobbyWorld(AGENTS, max_wait_s=300.0, overflow=Overflow(after_wait_s=120.0, after_wait=TO_HELP))
        self.all: list[Call] = []
        self.done = 0  # effects that the shell has seen
        self.wrap_up: dict[int, tuple[str, float, float]] = {}
        self.by_hand: set[int] = set()  # agents whose state a hand has just changed

    def _call(self, data: st.DataObject) -> Call:
        return data.draw(st.sampled_from(self.all))

    @rule()
    def dial(self) -> None:
        self.all.append(self.w.dial())

    @rule(agent=st.integers(1, AGENTS))
    def dial_by_hand(self, agent: int) -> None:
        try:
            self.all.append(self.w.dial(agent=agent))
        except IllegalEvent:
            pass

    @rule(to=st.sampled_from(PLACES), ack=st.booleans(), last=st.integers(0, 9))
    def call_in(self, to: Destination, ack: bool, last: int) -> None:
        self.all.append(self.w.arrive(to, f"+861390000010{last}", ack=ack))

    @precondition(lambda self: self.all)
    @rule(data=st.data(), what=st.sampled_from(["played", "stopped", "1", "#", "5", "recorded"]))
    def caller_does(self, data: st.DataObject, what: str) -> None:
        call, w = self._call(data), self.w
        match what:
            case "played" | "stopped":
                w.played(call, what == "played")
            case "recorded":
                rid = str(call.voice.get("recording_id", ""))
                w.floor.media(p.RecordingEnded(w.now, rid, "x.wav", 2.0, 16_000), w.now)
            case key:
                w.press(call, key)

    @precondition(lambda self: self.all)
    @rule(data=st.data(), to=st.sampled_from(PLACES))
    def supervisor_moves_a_caller(self, data: st.DataObject, to: Destination) -> None:
        try:
            self.w.floor.remove_waiting(self._call(data).call_id, to, self.w.now)
        except AppError:
            pass

    @rule(agent=st.integers(1, AGENTS), to=st.sampled_from(PLACES))
    def agent_transfers(self, agent: int, to: Destination) -> None:
        try:
            self.w.floor.transfer(agent, to, False, self.w.now)
        except AppError:
            pass

    @rule(
        agent=st.integers(1, AGENTS), state=st.sampled_from(["available", "paused", "offline"]), hang_up=st.booleans()
    )
    def supervisor_forces(self, agent: int, state: str, hang_up: bool) -> None:
        self.by_hand.add(agent)
        try:
            self.w.floor.force_state(agent, state, "told", hang_up, self.w.now)
        except AppError:
            pass

    @rule(kept=st.sampled_from([0.0, 1e9]))
    def blending(self, kept: float) -> None:
        self.w.change(SALES, blending=Blending(enabled=True, wait_s=kept, release_s=0))
        self.w.floor.blend(self.w.now)

    @rule(agent=st.integers(1, AGENTS))
    def signs_on(self, agent: int) -> None:
        """An agent at work: phone and browser there, available unless he is busy."""
        w = self.w
        self.by_hand.add(agent)
        w.team.presence(agent, True, w.now)
        w.team.phone(agent, "connected", w.now)
        call = w.team.agents[agent].call
        try:
            if w.team.agents[agent].state is AgentState.WRAP_UP and call is not None:
                w.floor.dispose(agent, call.call_id, 1, "", None, True, "available", w.now)
            w.team.set_state(agent, "available", "", w.now)
        except AppError:
            pass

    @precondition(lambda self: self.ringing())
    @rule(data=st.data(), take=st.integers(0, 3))
    def what_rings_is_answered(self, data: st.DataObject, take: int) -> None:
        agent = data.draw(st.sampled_from(self.ringing()))
        try:
            if take:
                self.w.floor.answer(agent, self.w.now)
            else:
                self.w.floor.decline(agent, self.w.now)
        except AppError:
            pass

    def ringing(self) -> list[int]:
        """Agents at whom a call rings."""
        return [a.user_id for a in self.w.team.agents.values() if a.call is not None and a.call.state == "offered"]

    @precondition(lambda self: self.waiting())
    @rule(data=st.data(), keys=st.sampled_from(["1#", "15551234#", "1", "9"]))
    def waiting_caller_presses(self, data: st.DataObject, keys: str) -> None:
        call = data.draw(st.sampled_from(self.waiting()))
        for key in keys:
            self.w.press(call, key)

    def waiting(self) -> list[Call]:
        """Calls that wait in a queue."""
        return [c for c in self.w.floor.calls.values() if self.w.floor.queues.queue_of(c.call_id) is not None]

    @precondition(lambda self: self.w.called_back)
    @rule(answers=st.booleans())
    def called_back(self, answers: bool) -> None:
        call = self.w.called_back[-1]
        if answers:
            self.w.answer(call)
        else:
            self.w.end(call, p.Cause.NO_ANSWER, 480)

    @rule(really=st.integers(0, 5))
    def engine_dies(self, really: int) -> None:
        if really:
            return
        self.w.restart()
        self.all = [self.w.floor.calls.get(c.call_id, c) for c in self.all]

    @precondition(lambda self: self.all)
    @rule(data=st.data(), event=st.sampled_from(["ring", "early", "answer", "hold", "resume", "end"]), cause=CAUSES)
    def far_end(self, data: st.DataObject, event: str, cause: p.Cause) -> None:
        call, w = self._call(data), self.w
        match event:
            case "ring":
                w.sip(p.LegRinging, call)
            case "early":
                w.sip(p.LegEarlyMedia, call, sdp=SDP)
            case "answer":
                w.answer(call)
            case "hold":
                w.sip(p.LegUpdated, call, sdp=p.Sdp(SDP.address, direction="sendonly"))
            case "resume":
                w.sip(p.LegUpdated, call, sdp=SDP)
            case "end":
                w.end(call, cause)

    @rule(
        agent=st.integers(1, AGENTS),
        hand=st.sampled_from(HANDS),
    )
    def agent_does(self, agent: int, hand: str) -> None:
        w = self.w
        self.by_hand.add(agent)
        try:
            match hand:
                case "answer":
                    w.floor.answer(agent, w.now)
                case "decline":
                    w.floor.decline(agent, w.now)
                case "hang_up":
                    w.floor.agent_hang_up(agent, w.now)
                case "hold":
                    w.floor.hold(agent, True, w.now)
                case "resume":
                    w.floor.hold(agent, False, w.now)
                case "pause_after":
                    w.team.pause_after(agent, True, "lunch", w.now)
                case "dispose":
                    call = w.team.agents[agent].call
                    if call is not None:
                        w.floor.dispose(agent, call.call_id, 1, "", None, True, "available", w.now)
                case _:
                    w.team.set_state(agent, hand, "", w.now)
        except AppError:
            pass  # refused in words; the invariants say that nothing broke

    @rule(agent=st.integers(1, AGENTS), by_itself=st.booleans())
    def offer_a_lead(self, agent: int, by_itself: bool) -> None:
        w, found = self.w, self.w.team.agents[agent]
        if found.free:
            until = w.now + 30 if by_itself else None
            view = CallView("c", "preview", "out", "preview", "+8613900000001", w.now, w.now, preview_until=until)
            w.team.offer(found, view, {"lead_id": 5, "campaign_id": CAMPAIGN}, w.now)

    @rule(agent=st.integers(1, AGENTS), dial=st.booleans())
    def answer_the_offer(self, agent: int, dial: bool) -> None:
        found = self.w.team.agents[agent]
        if not found.preview:
            return
        if dial:
            found.preview = {}
            self.all.append(self.w.dial(agent=agent))
        else:
            self.w.team.decline(found, self.w.now)

    @rule(agent=st.integers(1, AGENTS), really=st.integers(0, 4))
    def disabled_and_enabled_again(self, agent: int, really: int) -> None:
        if really:
            return
        self.by_hand.add(agent)
        self.w.team.forget(agent, self.w.now)
        self.w.know(agent)

    @rule(
        agent=st.integers(1, AGENTS), state=st.sampled_from(["connected", "interrupted", "off"]), online=st.booleans()
    )
    def browser(self, agent: int, state: str, online: bool) -> None:
        self.w.team.presence(agent, online, self.w.now)
        self.w.team.phone(agent, state, self.w.now)

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 5.0, 16.0, 40.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.w.wait(seconds)

    def _shell(self) -> None:
        """What the engine's shell does after each event."""
        w = self.w
        while self.done < len(w.effects) + len(w.drain()):
            since, self.done = self.done, len(w.effects)
            for effect in w.effects[since : self.done]:
                if isinstance(effect, fx.DialPreview) and w.team.agents[effect.user_id].preview:
                    w.team.agents[effect.user_id].preview = {}
                    self.all.append(w.dial(agent=effect.user_id))
            back = len(w.called_back)
            w.shell(since, self.done)
            self.all += w.called_back[back:]

    @invariant()
    def nobody_is_stuck(self) -> None:
        self._shell()
        assert self.w.floor.reconcile(self.w.now) == []

    @invariant()
    def one_call_to_an_agent(self) -> None:
        live = [
            c.agent_id
            for c in self.w.floor.calls.values()
            if c.state in (CallState.TALKING, CallState.HELD) and c.hanging_up_since is None
        ]
        assert len(live) == len(set(live))
        for agent in self.w.team.agents.values():
            if agent.state is AgentState.ON_CALL:
                assert agent.call is not None and agent.call.call_id in self.w.floor.calls

    @invariant()
    def no_caller_is_lost(self) -> None:
        """Whoever waits for an agent is in exactly one queue, or for one person, or on his way out; nobody else is."""
        floor = self.w.floor
        for call in floor.calls.values():
            queued = floor.queues.queue_of(call.call_id)
            assert queued is None or (call.state is CallState.WAITING and queued == call.queue_id)
            if call.control == "acd" and call.state is CallState.WAITING and call.hanging_up_since is None:
                leaving = call.abandoned or call.result
                assert queued is not None or call.for_agent is not None or leaving, call
        for queue in (SALES, HELP):
            for id_ in floor.queues.order(queue):
                assert id_ in floor.calls or id_ in floor.tickets
        for ticket in floor.tickets.values():
            assert ticket.dialed_by in floor.calls or ticket.retry_at or floor.queues.queue_of(ticket.ticket_id)

    @invariant()
    def one_ringing_at_an_agent(self) -> None:
        rung = [c.offered_to for c in self.w.floor.calls.values() if c.offered_to is not None]
        assert len(rung) == len(set(rung))
        for call in self.w.floor.calls.values():
            if call.offered_to is not None:
                agent = self.w.team.agents[call.offered_to]
                assert agent.state is AgentState.RINGING and agent.call and agent.call.call_id == call.call_id

    @invariant()
    def who_could_be_served_is_served(self) -> None:
        """No agent is free while somebody waits whom he may take."""
        floor = self.w.floor
        assert floor.queues.pairs(floor._free, self.w.now, floor._rng) == []

    @invariant()
    def wrap_up_is_never_cut(self) -> None:
        """Who wraps up goes on to nothing else by himself before his time is over or his outcome set."""
        now = self.w.now
        for agent in self.w.team.agents.values():
            began = self.wrap_up.get(agent.user_id)
            if agent.state is AgentState.WRAP_UP and agent.call is not None:
                self.wrap_up[agent.user_id] = (agent.call.call_id, agent.since, agent.wrap_up_until or now)
            elif began is not None:
                del self.wrap_up[agent.user_id]
                call_id, _, until = began
                set_free = {w.call_id for w in self.w.facts(f.CallDispositioned)}
                by_hand = agent.state in (AgentState.PAUSED, AgentState.OFFLINE) or agent.user_id in self.by_hand
                by_hand |= agent.call is not None and agent.call.call_id == call_id  # it has come back to him
                assert now >= until or call_id in set_free or by_hand, (agent, began)
        self.by_hand.clear()

    @invariant()
    def every_queued_call_leaves_once(self) -> None:
        entered = Counter(q.call_id for q in self.w.facts(f.CallQueued))
        left = Counter(q.call_id for q in self.w.facts(f.CallLeftQueue))
        for call_id, n in entered.items():
            inside = self.w.floor.queues.queue_of(call_id) is not None
            assert n == left[call_id] + inside, call_id
        offered = Counter((o.call_id, o.agent_id) for o in self.w.facts(f.CallOffered))
        over = Counter((o.call_id, o.agent_id) for o in self.w.facts(f.OfferEnded))
        for (call_id, agent_id), n in offered.items():
            call = self.w.floor.calls.get(call_id)
            rings = call is not None and call.offered_to == agent_id
            assert n == over[call_id, agent_id] + rings

    @invariant()
    def every_call_ends_once(self) -> None:
        ended = Counter(e.call_id for e in self.w.facts(f.CallEnded))
        assert all(n == 1 for n in ended.values())
        gone = {c.call_id for c in self.all} - set(self.w.floor.calls)
        assert gone == set(ended)

    def teardown(self) -> None:
        """Left alone, everything comes to an end."""
        for call in list(self.w.floor.calls.values()):
            if call.hanging_up_since is None and call.state is not CallState.PLACED:
                self.w.floor.hang_up(call, "system", self.w.now)
        for _ in range(60):  # kept places are called back until they expire
            self.w.wait(300)
            self._shell()
            for call in list(self.w.floor.calls.values()):
                if call.state is CallState.PLACED:
                    self.w.end(call, p.Cause.NO_ANSWER)
            self._shell()
        assert not self.w.floor.tickets
        assert not self.w.floor.calls
        assert all(a.state is not AgentState.ON_CALL for a in self.w.team.agents.values())


TestShift = Shift.TestCase
TestShift.settings = settings(
    max_examples=150, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
