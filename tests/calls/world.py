"""A floor with one campaign and its agents, driven by hand: what tests of calls and agents share."""

from __future__ import annotations

from callcenter.acd.roster import WorkRules
from callcenter.calls import effects as fx
from callcenter.calls.call import Call
from callcenter.calls.control import Controls
from callcenter.calls.floor import Floor
from callcenter.ids import new_id
from callcenter.telephony import ports as p
from dialer.control import BY_HAND, DIALED, ByHandControl, DialedControl

CAMPAIGN = 7
SDP = p.Sdp(p.MediaAddress("127.0.0.1", 4000))


class World:
    """`now` moves only by `wait`. `effects` are all since the start, `facts` the facts among them."""

    def __init__(self, agents: int = 1, wrap_up_s: float = 30.0, required: bool = True) -> None:
        self.now = 1_000_000.0
        self.floor = Floor(1, Controls(DialedControl(), ByHandControl()))
        self.team = self.floor.team
        self.team.rules[CAMPAIGN] = WorkRules("Autumn", wrap_up_s, required)
        self.effects: list[fx.Effect] = []
        for user in range(1, agents + 1):
            self.team.know(user, f"Agent {user}", (CAMPAIGN,), self.now)
            self.team.presence(user, True, self.now)
            self.team.phone(user, "connected", self.now)
            self.team.set_state(user, "available", "", self.now)
        self.drain()

    def drain(self) -> list[fx.Effect]:
        """Effects since the last time."""
        new = self.floor.take()
        self.effects += new
        return new

    def facts(self, kind: type) -> list[object]:
        """Facts of one kind, in order."""
        self.drain()
        return [e.fact for e in self.effects if isinstance(e, fx.Fact) and isinstance(e.fact, kind)]

    def done(self, kind: type) -> list[fx.Effect]:
        """Effects of one kind, in order."""
        self.drain()
        return [e for e in self.effects if isinstance(e, kind)]

    def wait(self, seconds: float) -> None:
        """Let time pass, timer by timer, with the browsers of all agents there."""
        end = self.now + seconds
        while (at := self.floor.next_deadline()) is not None and at <= end:
            self.now = max(self.now, at)
            for agent in self.team.agents.values():
                if agent.online:
                    self.team.presence(agent.user_id, True, self.now)
            self.floor.advance(self.now)
        self.now = end

    def dial(self, agent: int | None = None, prompt: str = "sorry.wav") -> Call:
        """Place a call: by the dialer, or by the hand of `agent`."""
        call = Call(
            call_id=new_id(self.now),
            control=DIALED if agent is None else BY_HAND,
            mode="predictive" if agent is None else "manual",
            number="+8613900000001",
            caller_id="+862155550100",
            trunk_id=1,
            dialed="13900000001",
            started_at=self.now,
            ring_timeout_s=30,
            campaign_id=CAMPAIGN,
            lead_id=5,
            agent_id=agent,
            prompt=prompt,
        )
        self.floor.place(call, self.now)
        self.sip(p.LegTrying, call, dialog=self.dialog(call, "early"))
        return call

    @staticmethod
    def dialog(call: Call, state: str) -> p.Dialog:
        """A dialog record."""
        return p.Dialog(call.call_id, 1, "abc@host", state, {})

    def sip(self, kind: type[p.SipEvent], call: Call, **fields: object) -> None:
        """Tell the floor an event of the call's leg."""
        self.floor.sip(kind(call.call_id, self.now, **fields), self.now)

    def answer(self, call: Call) -> None:
        """The callee picks up."""
        self.sip(p.LegAnswered, call, sdp=SDP, dialog=self.dialog(call, "confirmed"))

    def end(self, call: Call, cause: p.Cause = p.Cause.NORMAL, status: int = 0, by_us: bool = False) -> None:
        """The leg ends."""
        self.sip(p.LegEnded, call, cause=cause, status=status, by_us=by_us)

    def state(self, user: int = 1) -> str:
        """An agent's state."""
        return self.team.agents[user].state.value
