"""A floor with a queue, a voicemail and agents of no campaign: what tests of third parties share."""

from __future__ import annotations

from callcenter.acd.control import AcdControl
from callcenter.acd.settings import Member, QueueSettings
from callcenter.calls import effects as fx
from callcenter.calls import facts as f
from callcenter.calls.call import Call
from callcenter.calls.control import Controls
from callcenter.calls.destination import Destination, DestinationKind
from callcenter.calls.floor import Floor
from callcenter.calls.voicemail import VoicemailControl
from callcenter.telephony import ports as p
from dialer.control import ByHandControl, DialedControl
from tests.calls.world import SDP, World

QUEUE = 3
NUMBER = Destination(DestinationKind.NUMBER, number="+8613900000099")
TO_QUEUE = Destination(DestinationKind.QUEUE, QUEUE)


def colleague(user: int) -> Destination:
    """An agent to transfer to."""
    return Destination(DestinationKind.AGENT, user)


class PartyWorld(World):
    """Agents 1 … n, none of a campaign; nobody is a member of the queue unless `members` says so."""

    def __init__(self, agents: int = 3, members: tuple[int, ...] = (), wrap_up_s: float = 30.0) -> None:
        self.rooms: dict[str, dict[str, set[str]]] = {}
        self.playing: dict[str, str] = {}
        super().__init__(agents=0, wrap_up_s=wrap_up_s, required=False)
        queues: dict[int, QueueSettings] = {}
        controls = Controls(DialedControl(), ByHandControl(), AcdControl(queues), VoicemailControl())
        self.floor = Floor(1, controls, queues)
        self.team = self.floor.team
        for user in range(1, agents + 1):
            mine = (QUEUE,) if user in members else ()
            self.team.know(user, f"Agent {user}", (), self.now, queues=mine)
            self.team.presence(user, True, self.now)
            self.team.phone(user, "connected", self.now)
            self.team.set_state(user, "available", "", self.now)
        settings = QueueSettings(QUEUE, "Service", members=tuple(Member(u) for u in members), wrap_up_s=wrap_up_s)
        self.floor.settle_queue(settings, self.now)
        self.drain()

    def talk(self, agent: int = 1) -> Call:
        """A conversation of an agent with a customer, dialed by hand, with no campaign."""
        call = self.dial(agent=agent)
        call.campaign_id = call.lead_id = None
        self.answer(call)
        assert self.state(agent) == "on_call"
        return call

    def talk_from_queue(self) -> Call:
        """A conversation that came in by the queue."""
        call = self.dial()
        call.control = "acd"
        call.campaign_id = call.lead_id = None
        self.answer(call)
        self.floor.divert(call, TO_QUEUE, self.now)
        assert call.offered_to is not None
        self.floor.answer(call.offered_to, self.now)
        return call

    def drain(self) -> list[fx.Effect]:
        """Effects since the last time; rooms and plays are kept as they say."""
        new = super().drain()
        for effect in new:
            match effect:
                case fx.Room(room_id=room, hears=hears):
                    self.rooms[room] = {port: set(sources) for port, sources in hears.items()}
                case fx.Play(port_id=port, source=source):
                    self.playing[port] = source
                case fx.PlayPrompts(port_id=port, prompts=prompts):
                    self.playing[port] = prompts[0]
                case fx.StopPlay(port_id=port):
                    self.playing.pop(port, None)
        return new

    def room(self, call: Call) -> dict[str, set[str]]:
        """Who hears whom in the call, by the last effect about its room."""
        self.drain()
        return self.rooms.get(call.call_id, {})

    def heard(self, port: str) -> str:
        """What is being played to a port: a source, or ""."""
        self.drain()
        return self.playing.get(port, "")

    def leg(self, call: Call, kind: type[p.SipEvent], n: int = 1, **fields: object) -> None:
        """An event of the call's third number."""
        key = f"{call.call_id}.{n}"
        self.floor.sip(kind(key, self.now, **fields), self.now)

    def leg_up(self, call: Call, n: int = 1) -> None:
        """The third number answers."""
        dialog = p.Dialog(f"{call.call_id}.{n}", 1, "x@host", "confirmed", {})
        self.leg(call, p.LegTrying, n, dialog=dialog)
        self.leg(call, p.LegAnswered, n, sdp=SDP, dialog=dialog)

    def leg_ends(self, call: Call, cause: p.Cause = p.Cause.NORMAL, n: int = 1) -> None:
        """The third number is gone."""
        self.leg(call, p.LegEnded, n, cause=cause)

    def call_state(self, user: int) -> str:
        """The state of the agent's call as his desk shows it."""
        view = self.team.agents[user].call
        return view.state if view is not None else ""

    def notice(self, user: int) -> str:
        """What the agent is told of a third party."""
        view = self.team.agents[user].call
        return str(view.notice.get("code", "")) if view is not None else ""

    def recorded(self) -> tuple[str, str]:
        """The ports of the recording's channels, as last said."""
        told = [e for e in self.effects + self.drain() if isinstance(e, fx.Record | fx.RetargetRecord)]
        return told[-1].left_port, told[-1].right_port

    def ended(self) -> list[f.CallEnded]:
        """The CDRs."""
        return list(self.facts(f.CallEnded))

    def sound(self) -> None:
        """Nothing is stuck."""
        assert self.floor.reconcile(self.now) == []
