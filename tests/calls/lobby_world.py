"""A floor with queues, numbers and voicemail: callers come in, and what the engine's shell would do is done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from callcenter.acd.control import AcdControl
from callcenter.acd.roster import WorkRules
from callcenter.acd.settings import CallbackOffer, QueueSettings
from callcenter.calls import effects as fx
from callcenter.calls.call import Call
from callcenter.calls.control import Controls
from callcenter.calls.destination import Destination, DestinationKind
from callcenter.calls.floor import Floor
from callcenter.calls.voicemail import VoicemailControl
from callcenter.ids import new_id
from callcenter.telephony import ports as p
from dialer.control import BY_HAND, ByHandControl, DialedControl
from tests.calls.world import CAMPAIGN, SDP, World

SALES, HELP = 21, 22
NUMBER = "+862155550199"
TO_SALES = Destination(DestinationKind.QUEUE, SALES)
TO_HELP = Destination(DestinationKind.QUEUE, HELP)
TO_VOICEMAIL = Destination(DestinationKind.VOICEMAIL)


def queue(id_: int, name: str, **values: Any) -> QueueSettings:
    """Settings with a call-back offer."""
    return QueueSettings(id_, name, callback=CallbackOffer(enabled=True, after_s=30, key="1"), **values)


class LobbyWorld(World):
    """All agents are in the campaign and in both queues. `answers`: whether callers who are called back answer."""

    def __init__(self, agents: int = 1, **sales: Any) -> None:
        self.now = 1_000_000.0
        self.controls = (DialedControl(), ByHandControl(), VoicemailControl())
        self.floor = self.new_floor()
        self.effects: list[fx.Effect] = []
        self.team = self.floor.team
        self.members = tuple(range(1, agents + 1))
        self.settings = {SALES: queue(SALES, "Sales", **sales), HELP: queue(HELP, "Help", max_wait_s=600)}
        self.settle()
        for user in self.members:
            self.team.presence(user, True, self.now)
            self.team.phone(user, "connected", self.now)
            self.team.set_state(user, "available", "", self.now)
        self.drain()

    def new_floor(self) -> Floor:
        """An empty floor with all controllers."""
        queues: dict[int, QueueSettings] = {}
        return Floor(1, Controls(*self.controls, AcdControl(queues)), queues)

    def settle(self) -> None:
        """Settings as the shell brings them."""
        self.team.rules[CAMPAIGN] = WorkRules("Autumn", 30.0, True)
        for settings in self.settings.values():
            self.floor.settle_queue(settings, self.now)
        for user in self.members:
            self.know(user)

    def know(self, user: int) -> None:
        """What the settings say of an agent."""
        self.team.know(user, f"Agent {user}", (CAMPAIGN,), self.now, queues=(SALES, HELP))

    def change(self, queue_id: int, **values: Any) -> None:
        """Other settings of a queue."""
        self.settings[queue_id] = replace(self.settings[queue_id], **values)
        self.floor.settle_queue(self.settings[queue_id], self.now)

    def arrive(self, to: Destination = TO_SALES, number: str = "+8613900000077", *, ack: bool = True) -> Call:
        """A call comes in."""
        call = Call(
            call_id=new_id(self.now), control="", mode="inbound", number=number, caller_id=NUMBER, trunk_id=1,
            dialed="55550199", started_at=self.now, ring_timeout_s=0, did=NUMBER, card={"name": "Mei"},
        )  # fmt: skip
        self.floor.arrive(call, to, self.now)
        if ack:
            self.answer(call)
        return call

    def shell(self, since: int, until: int | None = None) -> None:
        """What the engine's shell does about the effects from number `since` on, as far as it comes back here."""
        self.drain()
        for effect in self.effects[since:until]:
            match effect:
                case fx.DialQueued(ticket_id=ticket_id, user_id=user):
                    self._dial_ticket(ticket_id, user)
                case fx.StopRecord(recording_id=rid):
                    self.floor.media(p.RecordingEnded(self.now, rid, "x.wav", 4.0, 32_000), self.now)
                case fx.RefuseLeg(call_id=call_id):
                    call = self.floor.calls.get(call_id)
                    if call is not None:
                        self.end(call, p.Cause.DECLINED, 603, by_us=True)

    def _dial_ticket(self, ticket_id: str, user: int) -> None:
        ticket, agent = self.floor.tickets.get(ticket_id), self.team.agents.get(user)
        if ticket is None or agent is None or not agent.free:
            self.floor.ticket_not_dialed(ticket_id, user, self.now)
            return
        call = Call(
            call_id=new_id(self.now), control=BY_HAND, mode="queue_callback", number=ticket.number, caller_id=NUMBER,
            trunk_id=1, dialed=ticket.number, started_at=self.now, ring_timeout_s=45, agent_id=user,
            queue_id=ticket.queue_id, ticket_id=ticket_id,
        )  # fmt: skip
        self.floor.ticket_dialed(call, self.now)
        self.floor.place(call, self.now)
        self.sip(p.LegTrying, call, dialog=self.dialog(call, "early"))
        self.called_back.append(call)

    @property
    def called_back(self) -> list[Call]:
        """Calls to callers who kept their place."""
        if not hasattr(self, "_called_back"):
            self._called_back: list[Call] = []
        return self._called_back

    def played(self, call: Call, complete: bool = True) -> None:
        """What the caller hears reaches its end."""
        play = f"ctl-{call.plays}-{call.play}"
        self.floor.media(p.PlayEnded(self.now, call.port, play, complete), self.now)

    def press(self, call: Call, digit: str) -> None:
        """The caller presses a key."""
        self.floor.media(p.DtmfReceived(self.now, call.port, digit, 100), self.now)

    def hears(self, call: Call) -> tuple[str, ...]:
        """The prompts that were played to a caller last."""
        self.drain()
        plays = [e for e in self.effects if isinstance(e, fx.PlayPrompts) and e.port_id == call.port]
        return plays[-1].prompts if plays else ()

    def restart(self) -> None:
        """The engine dies and a successor takes up what was saved."""
        from callcenter import wire
        from callcenter.acd.agent import Agent, AgentState
        from callcenter.calls.tickets import Ticket

        calls = [wire.from_json(wire.to_json(c), Call) for c in self.floor.calls.values()]
        agents = [wire.from_json(wire.to_json(a), Agent) for a in self.team.agents.values()]
        tickets = [wire.from_json(wire.to_json(t), Ticket) for t in self.floor.tickets.values()]
        self.drain()
        self.floor = self.new_floor()
        self.team = self.floor.team
        self.settle()
        for agent in agents:
            if agent.state is AgentState.RINGING:
                agent.state, agent.since, agent.preview, agent.call = AgentState.AVAILABLE, self.now, {}, None
            self.team.agents[agent.user_id] = agent
            if agent.state is AgentState.WRAP_UP:
                self.floor.timers.set(("wrap", str(agent.user_id)), self.now + 30)
            self.team.restored(agent.user_id)
        for call in sorted(calls, key=lambda c: (c.queued_at or c.started_at, c.call_id)):
            self.floor.restore(call, self.now)
        for ticket in tickets:
            self.floor.restore_ticket(ticket, self.now)
        self.floor.resume(self.now)


__all__ = ["HELP", "NUMBER", "SALES", "SDP", "TO_HELP", "TO_SALES", "TO_VOICEMAIL", "LobbyWorld", "queue"]
