"""Thousands of random orders of everything that can happen to calls with others in them: nobody is stuck, forgotten,
left in silence or in two conversations. A failure names its seed and the steps that led there."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

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
WALKS, STEPS = 2000, 50
CAUSES = (p.Cause.BUSY, p.Cause.NO_ANSWER, p.Cause.NORMAL, p.Cause.CONGESTION)
IN_CALL = (
    "hang_up", "hold", "resume", "dispose", "complete", "complete", "conference", "conference", "leave", "leave",
    "park", "drop", "message", "record", "pause_record", "resume_record",
)  # fmt: skip
WITH_OTHERS = (
    "complete",
    "conference",
    "conference",
    "conference",
    "leave",
    "leave",
    "drop",
    "hang_up",
    "hold",
    "resume",
)
ANYBODY = (*IN_CALL, "answer", "decline", "available", "paused", "offline")
TARGETS = (*map(colleague, range(1, AGENTS + 1)), NUMBER, NUMBER, TO_QUEUE, Destination(DestinationKind.VOICEMAIL, 1))
SUPERVISES = ("listen", "whisper", "barge", "take_over", "stop")


class Walk:
    """Four agents, two of them of the queue; calls by hand and from the queue; third numbers; supervisors."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.w = PartyWorld(agents=AGENTS, members=(1, 2))
        self.all: list[Call] = []
        self.log: list[str] = []
        self.seen: Counter[str] = Counter()
        self.originated: set[str] = set()
        self.hung_up: set[str] = set()
        self.parties: Counter[tuple[str, str]] = Counter()
        self.ended: Counter[str] = Counter()
        self._read = 0

    def step(self) -> None:
        """One thing happens."""
        happenings = (
            self.comes_to_work, self.comes_to_work, self.comes_to_work, self.talk, self.call_in, self.customer,
            self.number, self.number, self.who_is_rung, self.who_is_rung, self.who_is_rung, self.who_is_in_a_call,
            self.who_is_in_a_call, self.who_is_in_a_call, self.transfer, self.transfer, self.anybody, self.pick_up,
            self.supervise, self.browser, self.disabled, self.time_passes, self.time_passes,
        )  # fmt: skip
        try:
            self.rng.choice(happenings)()
        except AppError as refused:
            self.log.append(f"  refused: {refused.code}")
        except IllegalEvent as busy:
            assert busy.machine == "agent", busy  # a call by hand of somebody who is busy
        self.w.drain()

    def _note(self, what: str, *details: object) -> None:
        self.log.append(f"{what} {' '.join(map(str, details))}")

    def _in(self, *states: AgentState) -> int | None:
        found = [a.user_id for a in self.w.team.agents.values() if a.state in states]
        return self.rng.choice(found) if found else None

    # ------------------------------------------------------------------------------------------------------- happenings

    def comes_to_work(self) -> None:
        w, agent = self.w, self.rng.randint(1, AGENTS)
        found = w.team.agents[agent]
        self._note("comes to work", agent)
        w.team.presence(agent, True, w.now)
        w.team.phone(agent, "connected", w.now)
        if found.state is AgentState.WRAP_UP and found.call is not None:
            w.floor.dispose(agent, found.call.call_id, 1, "", None, True, "available", w.now)
        elif found.state in (AgentState.OFFLINE, AgentState.PAUSED) and not found.supervising:
            w.team.set_state(agent, "available", "", w.now)

    def talk(self) -> None:
        agent = self._in(AgentState.AVAILABLE, AgentState.PAUSED)
        if agent is None:
            return
        self._note("talk", agent)
        call = self.w.dial(agent=agent)
        call.campaign_id = call.lead_id = None
        self.all.append(call)
        self.w.answer(call)

    def call_in(self) -> None:
        self._note("call in")
        call = self.w.dial()
        call.campaign_id = call.lead_id = None
        call.control = ""
        self.all.append(call)
        self.w.answer(call)
        self.w.floor.divert(call, TO_QUEUE, self.w.now)

    def customer(self) -> None:
        if not self.all:
            return
        call, w = self.rng.choice(self.all[-8:]), self.w
        event = self.rng.choice(("hold", "resume", "end", "played"))
        self._note("customer", call.call_id[-4:], event)
        match event:
            case "hold":
                w.sip(p.LegUpdated, call, sdp=p.Sdp(SDP.address, direction="sendonly"))
            case "resume":
                w.sip(p.LegUpdated, call, sdp=SDP)
            case "played":
                w.floor.media(p.PlayEnded(w.now, call.port, f"drop-{call.call_id}", True), w.now)
            case "end":
                w.end(call, self.rng.choice(CAUSES))

    def number(self) -> None:
        calls = [c for c in self.all if c.legs and c.call_id in self.w.floor.calls] or [c for c in self.all if c.legs]
        if not calls:
            return
        call, w = self.rng.choice(calls), self.w
        n = self.rng.randint(1, call.legs)
        event = self.rng.choice(("ring", "early", "answer", "answer", "answer", "end", "lost"))
        self._note("number", call.call_id[-4:], n, event)
        match event:
            case "ring":
                w.leg(call, p.LegRinging, n)
            case "early":
                w.leg(call, p.LegEarlyMedia, n, sdp=SDP)
            case "answer":
                w.leg_up(call, n)
            case "end":
                w.leg_ends(call, self.rng.choice(CAUSES), n)
            case "lost":
                w.floor.party_lost(call.call_id, f"{call.call_id}.{n}", "no_line", w.now)

    def who_is_rung(self) -> None:
        agent = self._in(AgentState.RINGING)
        if agent is not None:
            self.hand(agent, self.rng.choice(("answer", "answer", "answer", "decline")))

    def who_is_in_a_call(self) -> None:
        agent = self._in(AgentState.ON_CALL)
        call = self.w.floor.call_of(agent) if agent is not None else None
        if agent is not None and call is not None:
            self.hand(agent, self.rng.choice(WITH_OTHERS if call.parties else IN_CALL))

    def anybody(self) -> None:
        self.hand(self.rng.randint(1, AGENTS), self.rng.choice(ANYBODY))

    def hand(self, agent: int, hand: str) -> None:
        """A command of an agent's."""
        w, floor, now = self.w, self.w.floor, self.w.now
        self._note("hand", agent, hand)
        match hand:
            case "hang_up":
                floor.agent_hang_up(agent, now)
            case "hold" | "resume":
                floor.hold(agent, hand == "hold", now)
            case "dispose":
                view = w.team.agents[agent].call
                if view is not None:
                    floor.dispose(agent, view.call_id, 1, "", None, True, "available", now)
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
                call = floor.call_of(agent)
                if call is not None and call.parties:
                    floor.drop_party(agent, self.rng.choice(list(call.parties)), now)
            case _:
                w.team.set_state(agent, hand, "", now)

    def transfer(self) -> None:
        agent = self._in(AgentState.ON_CALL)
        if agent is not None:
            to, attended = self.rng.choice(TARGETS), self.rng.random() < 0.6
            self._note("transfer", agent, to.kind, to.id, "attended" if attended else "blind")
            self.w.floor.transfer(agent, to, attended, self.w.now)

    def pick_up(self) -> None:
        agent, slot = self.rng.randint(1, AGENTS), self.rng.choice(("1", "2"))
        self._note("pick up", agent, slot)
        self.w.floor.pick_up(agent, slot, self.w.now)

    def supervise(self) -> None:
        who, agent, how = self.rng.randint(1, AGENTS), self.rng.randint(1, AGENTS), self.rng.choice(SUPERVISES)
        self._note("supervise", who, agent, how)
        self.w.floor.supervise(who, agent, how, self.rng.random() < 0.5, self.w.now)

    def browser(self) -> None:
        agent, state = self.rng.randint(1, AGENTS), self.rng.choice(("connected", "interrupted", "off"))
        online = self.rng.random() < 0.5
        self._note("browser", agent, state, online)
        self.w.team.presence(agent, online, self.w.now)
        self.w.team.phone(agent, state, self.w.now)

    def disabled(self) -> None:
        if self.rng.random() < 0.2:
            agent = self.rng.randint(1, AGENTS)
            self._note("disabled and enabled again", agent)
            self.w.team.forget(agent, self.w.now)
            queues = (QUEUE,) if agent in (1, 2) else ()
            self.w.team.know(agent, f"Agent {agent}", (), self.w.now, queues=queues)

    def time_passes(self) -> None:
        seconds = self.rng.choice((0.5, 3.0, 8.5, 21.0, 45.0, 130.0))
        self._note("time", seconds)
        self.w.wait(seconds)

    # ------------------------------------------------------------------------------------------------ what always holds

    def check(self) -> None:
        """Everything that must hold at any moment."""
        w, floor = self.w, self.w.floor
        self._tell()
        assert floor.reconcile(w.now) == []
        w.drain()
        inside: Counter[str] = Counter()
        for call in floor.calls.values():
            matrix = {port: set(sources) for port, sources in hears(call, 1).items()}
            inside.update(matrix.keys())
            assert w.rooms.get(call.call_id, {}) == matrix, ("the room is not as the call stands", call)
            if call.hanging_up_since is None:
                self._check_live(call, matrix)
        assert all(n == 1 for n in inside.values()), f"in two conversations: {inside}"
        for agent in w.team.agents.values():
            if agent.state is AgentState.ON_CALL:
                assert agent.call is not None
                on = floor.calls[agent.call.call_id]
                party = on.parties.get(f"agent:{agent.user_id}")
                led = on.agent_id == agent.user_id
                assert led or (party is not None and party.state == "talking"), ("on a call he is not in", agent, on)
        there = {q.leg_id for c in floor.calls.values() for q in c.parties.values() if q.leg_id}
        assert self.originated - self.hung_up == there, "a third number was forgotten"
        assert all(n == 1 for n in self.ended.values())
        assert {c.call_id for c in self.all} - set(floor.calls) == set(self.ended)
        rows = Counter((c.call_id, key) for c in floor.calls.values() for key in c.parties)
        assert +self.parties == rows, "every party that joined has left or is there"
        slots = [c.park_slot for c in floor.calls.values() if c.park_slot]
        assert len(slots) == len(set(slots))

    def _check_live(self, call: Call, matrix: dict[str, set[str]]) -> None:
        heard = self.w.playing.get(call.port, "")
        if call.state is CallState.TALKING:
            assert call.port in matrix and heard == "", ("a customer in silence or in music", call, heard)
            for port in matrix:
                assert self.w.playing.get(port, "") == "", ("music into a conversation", port, call)
        elif call.state is CallState.HELD:
            assert (heard == "hold_music") == (call.port not in matrix), (call, heard)
        elif call.state in (CallState.PARKED, CallState.VOICEMAIL, CallState.WAITING):
            assert not matrix and heard, ("one who waits hears nothing", call)
        assert bool(call.park_slot) == (call.state is CallState.PARKED), call

    def _tell(self) -> None:
        self.w.drain()
        for effect in self.w.effects[self._read :]:
            match effect:
                case fx.OriginateParty(party_key=key):
                    self.originated.add(key)
                case fx.HangUpParty(party_key=key):
                    self.hung_up.add(key)
                case fx.Fact(fact=f.PartyJoined(call_id=call_id, party_key=key)):
                    self.parties[call_id, key] += 1
                case fx.Fact(fact=f.PartyLeft(call_id=call_id, party_key=key) as left):
                    self.parties[call_id, key] -= 1
                    self.seen[f"{left.role} {left.outcome}"] += 1
                case fx.Fact(fact=f.CallEnded(call_id=call_id)):
                    self.ended[call_id] += 1
                case fx.Fact(fact=f.CallTransferred(kind=kind, to_kind=to_kind)):
                    self.seen[f"{kind} transfer to {to_kind}"] += 1
        self._read = len(self.w.effects)

    def finish(self) -> None:
        """Left alone, everything comes to an end."""
        for call in list(self.w.floor.calls.values()):
            if call.hanging_up_since is None and call.state is not CallState.PLACED:
                self.w.floor.hang_up(call, "system", self.w.now)
        self.w.wait(6000)
        assert not self.w.floor.calls
        assert all(a.state is not AgentState.ON_CALL for a in self.w.team.agents.values())


@pytest.mark.promise("A1", "A2", "V2")
def test_thousands_of_random_orders_leave_nobody_stuck_forgotten_or_in_two_conversations() -> None:
    seen: Counter[str] = Counter()
    for seed in range(WALKS):
        walk = Walk(seed)
        try:
            for _ in range(STEPS):
                walk.step()
                walk.check()
            walk.finish()
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}\n" + "\n".join(walk.log)) from error
        seen += walk.seen
    deep = ("agent", "number", "queue", "voicemail")
    wanted = [f"blind transfer to {kind}" for kind in deep] + [
        "attended transfer to agent", "attended transfer to number", "left transfer to agent",
        "left transfer to number",
        "take_over transfer to agent", "consult talked", "talk talked", "talk agent", "talk no_answer",
        "talk busy", "talk declined", "listen talked", "whisper talked", "consult lost",
    ]  # fmt: skip
    assert all(seen[what] for what in wanted), f"the walks did not go far enough: {seen}"
