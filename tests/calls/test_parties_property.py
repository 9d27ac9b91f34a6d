"""Random orders of everything that can happen to calls with others in them: nobody is stuck, forgotten or in two
conversations."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from callcenter.acd.agent import AgentState
from callcenter.calls import effects as fx
from callcenter.calls import facts as f
from callcenter.calls.call import Call, CallState
from callcenter.calls.destination import Destination, DestinationKind
from callcenter.calls.mix import hears
from callcenter.errors import AppError
from callcenter.fsm import IllegalEvent
from callcenter.telephony import ports as p
from tests.calls.party_world import NUMBER, QUEUE, TO_QUEUE, PartyWorld, colleague
from tests.calls.world import SDP

AGENTS = 4
WHO = st.integers(1, AGENTS)
CAUSES = st.sampled_from([p.Cause.BUSY, p.Cause.NO_ANSWER, p.Cause.NORMAL, p.Cause.CONGESTION])
HANDS = (
    "hang_up", "hold", "resume", "available", "paused", "offline", "dispose", "answer", "decline", "complete",
    "conference", "leave", "park", "drop", "message", "record", "pause_record", "resume_record",
)  # fmt: skip


class Floor(RuleBasedStateMachine):
    """Four agents, two of them of the queue; calls by hand and from the queue; third numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.w = PartyWorld(agents=AGENTS, members=(1, 2))
        self.all: list[Call] = []
        self.parked: set[str] = set()

    # ------------------------------------------------------------------------------------------------------- happenings

    @rule(agent=WHO)
    def talk(self, agent: int) -> None:
        try:
            call = self.w.dial(agent=agent)
        except IllegalEvent:
            return
        call.campaign_id = call.lead_id = None
        self.all.append(call)
        self.w.answer(call)

    @rule()
    def call_in(self) -> None:
        call = self.w.dial()
        call.campaign_id = call.lead_id = None
        call.control = ""
        self.all.append(call)
        self.w.answer(call)
        self.w.floor.divert(call, TO_QUEUE, self.w.now)

    @precondition(lambda self: self.all)
    @rule(data=st.data(), event=st.sampled_from(["hold", "resume", "end", "played"]), cause=CAUSES)
    def customer(self, data: st.DataObject, event: str, cause: p.Cause) -> None:
        call, w = data.draw(st.sampled_from(self.all)), self.w
        match event:
            case "hold":
                w.sip(p.LegUpdated, call, sdp=p.Sdp(SDP.address, direction="sendonly"))
            case "resume":
                w.sip(p.LegUpdated, call, sdp=SDP)
            case "played":
                w.floor.media(p.PlayEnded(w.now, call.port, f"drop-{call.call_id}", True), w.now)
            case "end":
                w.end(call, cause)

    @precondition(lambda self: any(c.legs for c in self.all))
    @rule(data=st.data(), event=st.sampled_from(["trying", "ring", "early", "answer", "end", "lost"]), cause=CAUSES)
    def number(self, data: st.DataObject, event: str, cause: p.Cause) -> None:
        call = data.draw(st.sampled_from([c for c in self.all if c.legs]))
        n, w = data.draw(st.integers(1, call.legs)), self.w
        dialog = p.Dialog(f"{call.call_id}.{n}", 1, "x@host", "early", {})
        match event:
            case "trying":
                w.leg(call, p.LegTrying, n, dialog=dialog)
            case "ring":
                w.leg(call, p.LegRinging, n)
            case "early":
                w.leg(call, p.LegEarlyMedia, n, sdp=SDP)
            case "answer":
                w.leg_up(call, n)
            case "end":
                w.leg_ends(call, cause, n)
            case "lost":
                w.floor.party_lost(call.call_id, f"{call.call_id}.{n}", "no_line", w.now)

    @rule(agent=WHO, hand=st.sampled_from(HANDS))
    def hand_of(self, agent: int, hand: str) -> None:
        w, floor, now = self.w, self.w.floor, self.w.now
        try:
            match hand:
                case "hang_up":
                    floor.agent_hang_up(agent, now)
                case "hold" | "resume":
                    floor.hold(agent, hand == "hold", now)
                case "dispose":
                    call = w.team.agents[agent].call
                    if call is not None:
                        floor.dispose(agent, call.call_id, 1, "", None, True, "available", now)
                case "answer":
                    floor.answer(agent, now)
                case "decline":
                    floor.decline(agent, now)
                case "complete":
                    floor.complete_transfer(agent, now)
                case "conference":
                    floor.conference(agent, now)
                case "leave":
                    floor.leave(agent, now)
                case "park":
                    floor.park(agent, now)
                case "message":
                    floor.voicemail_drop(agent, 9, now)
                case "record" | "pause_record" | "resume_record":
                    floor.record(agent, {"record": "start"}.get(hand, hand.removesuffix("_record")), now)
                case "drop":
                    call_ = floor.call_of(agent)
                    if call_ is not None and call_.parties:
                        floor.drop_party(agent, next(iter(call_.parties)), now)
                case _:
                    w.team.set_state(agent, hand, "", now)
        except AppError:
            pass  # refused in words; the invariants say that nothing broke

    @rule(
        agent=WHO,
        to=st.sampled_from([
            *(colleague(u) for u in range(1, AGENTS + 1)), NUMBER, TO_QUEUE, Destination(DestinationKind.VOICEMAIL, 1)
        ]),
        attended=st.booleans(),
    )  # fmt: skip
    def transfer(self, agent: int, to: Destination, attended: bool) -> None:
        try:
            self.w.floor.transfer(agent, to, attended, self.w.now)
        except AppError:
            pass

    @rule(agent=WHO, slot=st.sampled_from(["1", "2"]))
    def pick_up(self, agent: int, slot: str) -> None:
        try:
            self.w.floor.pick_up(agent, slot, self.w.now)
        except AppError:
            pass

    @rule(
        who=WHO, agent=WHO, how=st.sampled_from(["listen", "whisper", "barge", "take_over", "stop"]), tell=st.booleans()
    )
    def supervise(self, who: int, agent: int, how: str, tell: bool) -> None:
        try:
            self.w.floor.supervise(who, agent, how, tell, self.w.now)
        except AppError:
            pass

    @rule(agent=WHO, state=st.sampled_from(["connected", "interrupted", "off"]), online=st.booleans())
    def browser(self, agent: int, state: str, online: bool) -> None:
        self.w.team.presence(agent, online, self.w.now)
        self.w.team.phone(agent, state, self.w.now)

    @rule(agent=WHO)
    def disabled_and_enabled_again(self, agent: int) -> None:
        self.w.team.forget(agent, self.w.now)
        queues = (QUEUE,) if agent in (1, 2) else ()
        self.w.team.know(agent, f"Agent {agent}", (), self.w.now, queues=queues)

    @rule(seconds=st.floats(0.01, 200))
    def time_passes(self, seconds: float) -> None:
        self.w.wait(seconds)

    # ------------------------------------------------------------------------------------------------ what always holds

    @invariant()
    def nobody_is_stuck(self) -> None:
        assert self.w.floor.reconcile(self.w.now) == []

    @invariant()
    def nobody_is_in_two_conversations(self) -> None:
        inside: Counter[str] = Counter()
        for call in self.w.floor.calls.values():
            inside.update(set(hears(call, 1)))
        assert all(n == 1 for n in inside.values()), inside

    @invariant()
    def the_rooms_are_as_the_calls_stand(self) -> None:
        self.w.drain()
        rooms = {e.room_id: dict(e.hears) for e in self.w.effects if isinstance(e, fx.Room)}
        for call in self.w.floor.calls.values():
            assert rooms.get(call.call_id, {}) == dict(hears(call, 1)), call

    @invariant()
    def whoever_is_on_a_call_is_in_it(self) -> None:
        for agent in self.w.team.agents.values():
            if agent.state is not AgentState.ON_CALL:
                continue
            assert agent.call is not None
            call = self.w.floor.calls[agent.call.call_id]
            party = call.parties.get(f"agent:{agent.user_id}")
            assert call.agent_id == agent.user_id or (party is not None and party.state == "talking"), (agent, call)

    @invariant()
    def a_conversation_has_somebody_for_the_customer(self) -> None:
        for call in self.w.floor.calls.values():
            if call.state is CallState.TALKING and call.hanging_up_since is None:
                assert call.port in hears(call, 1), call

    @invariant()
    def music_is_heard_by_who_waits_and_by_nobody_else(self) -> None:
        for call in self.w.floor.calls.values():
            if call.hanging_up_since is not None:
                continue
            matrix = hears(call, 1)
            heard = self.w.heard(call.port)
            if call.state in (CallState.TALKING, CallState.HELD):
                assert (heard == "hold_music") == (call.port not in matrix), (heard, call)
            for agent in (a for a in self.w.team.agents.values() if a.state is AgentState.ON_CALL):
                port = fx.agent_port(1, agent.user_id)
                if port in matrix and call.state is CallState.TALKING:
                    assert self.w.heard(port) == "", (port, call)

    @invariant()
    def every_third_number_that_is_gone_was_hung_up(self) -> None:
        self.w.drain()
        called = {e.party_key for e in self.w.effects if isinstance(e, fx.OriginateParty)}
        hung_up = {e.party_key for e in self.w.effects if isinstance(e, fx.HangUpParty)}
        there = {q.leg_id for c in self.w.floor.calls.values() for q in c.parties.values() if q.leg_id}
        assert called - hung_up == there

    @invariant()
    def every_call_ends_once_and_every_party_has_its_row(self) -> None:
        ended = Counter(e.call_id for e in self.w.ended())
        assert all(n == 1 for n in ended.values())
        assert {c.call_id for c in self.all} - set(self.w.floor.calls) == set(ended)
        joined = Counter((x.call_id, x.party_key) for x in self.w.facts(f.PartyJoined))  # type: ignore[attr-defined]
        left = Counter((x.call_id, x.party_key) for x in self.w.facts(f.PartyLeft))  # type: ignore[attr-defined]
        there = Counter((c.call_id, key) for c in self.w.floor.calls.values() for key in c.parties)
        assert joined == left + there

    @invariant()
    def slots_are_those_of_parked_calls(self) -> None:
        slots = [c.park_slot for c in self.w.floor.calls.values() if c.park_slot]
        assert len(slots) == len(set(slots))
        for call in self.w.floor.calls.values():
            if call.hanging_up_since is None:
                assert bool(call.park_slot) == (call.state is CallState.PARKED), call

    def teardown(self) -> None:
        """Left alone, everything comes to an end."""
        for call in list(self.w.floor.calls.values()):
            if call.hanging_up_since is None and call.state is not CallState.PLACED:
                self.w.floor.hang_up(call, "system", self.w.now)
        self.w.wait(6000)
        assert not self.w.floor.calls
        assert all(a.state is not AgentState.ON_CALL for a in self.w.team.agents.values())


TestFloor = Floor.TestCase
TestFloor.settings = settings(
    max_examples=150, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
