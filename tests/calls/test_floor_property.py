"""Random orders of everything that can happen: nobody gets stuck, nothing is counted twice."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from callcenter.acd.agent import AgentState
from callcenter.acd.views import CallView
from callcenter.calls import effects as fx
from callcenter.calls import facts as f
from callcenter.calls.call import Call, CallState
from callcenter.errors import AppError
from callcenter.fsm import IllegalEvent
from callcenter.telephony import ports as p
from tests.calls.world import CAMPAIGN, SDP, World

CAUSES = st.sampled_from([p.Cause.BUSY, p.Cause.NO_ANSWER, p.Cause.INVALID, p.Cause.NORMAL, p.Cause.CONGESTION])
AGENTS = 3


class Shift(RuleBasedStateMachine):
    """Three agents, any number of calls, every event at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.w = World(agents=AGENTS)
        self.all: list[Call] = []

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
        hand=st.sampled_from(["hang_up", "hold", "resume", "available", "paused", "offline", "pause_after", "dispose"]),
    )
    def agent_does(self, agent: int, hand: str) -> None:
        w = self.w
        try:
            match hand:
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

    @rule(agent=st.integers(1, AGENTS))
    def disabled_and_enabled_again(self, agent: int) -> None:
        self.w.team.forget(agent, self.w.now)
        self.w.team.know(agent, f"Agent {agent}", (CAMPAIGN,), self.w.now)

    @rule(
        agent=st.integers(1, AGENTS), state=st.sampled_from(["connected", "interrupted", "off"]), online=st.booleans()
    )
    def browser(self, agent: int, state: str, online: bool) -> None:
        self.w.team.presence(agent, online, self.w.now)
        self.w.team.phone(agent, state, self.w.now)

    @rule(seconds=st.floats(0.01, 100))
    def time_passes(self, seconds: float) -> None:
        told = len(self.w.effects)
        self.w.wait(seconds)
        self.w.drain()
        for effect in self.w.effects[told:]:  # as the engine's shell does it
            if isinstance(effect, fx.DialPreview) and self.w.team.agents[effect.user_id].preview:
                self.w.team.agents[effect.user_id].preview = {}
                self.all.append(self.w.dial(agent=effect.user_id))

    @invariant()
    def nobody_is_stuck(self) -> None:
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
    def every_call_ends_once(self) -> None:
        ended = Counter(e.call_id for e in self.w.facts(f.CallEnded))  # type: ignore[attr-defined]
        assert all(n == 1 for n in ended.values())
        gone = {c.call_id for c in self.all} - set(self.w.floor.calls)
        assert gone == set(ended)

    def teardown(self) -> None:
        """Left alone, everything comes to an end."""
        for call in list(self.w.floor.calls.values()):
            if call.hanging_up_since is None and call.state is not CallState.PLACED:
                self.w.floor.hang_up(call, "system", self.w.now)
        self.w.wait(3000)
        assert not self.w.floor.calls
        assert all(a.state is not AgentState.ON_CALL for a in self.w.team.agents.values())


TestShift = Shift.TestCase
TestShift.settings = settings(
    max_examples=150, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
