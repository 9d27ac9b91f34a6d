"""An agent: who can take a call, who is busy with one, who must be left alone.

Theory: the server owns this state. A call takes an agent from `available` (or, dialed by the agent's own hand, from
`paused` too) to `on_call`; the end of a call always leads to `wrap_up`, never straight to the next call; only the
agent's outcome, the wrap-up timer or a supervisor leads out of it. `ringing` is an offer that waits for the agent's
hand: a preview, or a call that rings (`call.state` "offered"). The call that an agent wraps up may come back to him (a
transfer that nobody took, a parked call): it is the one call that wrap-up lets through. Whether the phone works is kept
beside the state (`phone`), because an agent with a dead phone is still the person he was: he gets no calls until it
works again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from callcenter.acd.views import CallView, OwnCaller, PhoneView
from callcenter.fsm import Machine


class AgentState(StrEnum):
    OFFLINE = "offline"
    AVAILABLE = "available"
    RINGING = "ringing"
    ON_CALL = "on_call"
    WRAP_UP = "wrap_up"
    PAUSED = "paused"


class AgentInput(StrEnum):
    READY = "ready"
    PAUSE = "pause"
    LEAVE = "leave"
    OFFER = "offer"
    TAKE = "take"
    HANG_UP = "hang_up"  # the call was a conversation
    RELEASE = "release"  # the call came to nothing


S, I = AgentState, AgentInput  # noqa: E741  two letters keep the table readable

AGENT: Machine[AgentState, AgentInput] = Machine(
    name="agent",
    initial=S.OFFLINE,
    table={
        (S.OFFLINE, I.READY): S.AVAILABLE,
        (S.OFFLINE, I.PAUSE): S.PAUSED,
        (S.OFFLINE, I.LEAVE): S.OFFLINE,
        (S.AVAILABLE, I.READY): S.AVAILABLE,
        (S.AVAILABLE, I.PAUSE): S.PAUSED,
        (S.AVAILABLE, I.LEAVE): S.OFFLINE,
        (S.AVAILABLE, I.OFFER): S.RINGING,
        (S.AVAILABLE, I.TAKE): S.ON_CALL,
        (S.RINGING, I.TAKE): S.ON_CALL,
        (S.RINGING, I.RELEASE): S.AVAILABLE,
        (S.RINGING, I.HANG_UP): S.WRAP_UP,  # the call that had come back is gone
        (S.RINGING, I.PAUSE): S.PAUSED,
        (S.RINGING, I.LEAVE): S.OFFLINE,
        (S.ON_CALL, I.HANG_UP): S.WRAP_UP,
        (S.ON_CALL, I.RELEASE): S.AVAILABLE,
        (S.WRAP_UP, I.OFFER): S.RINGING,  # the call that is wrapped up comes back
        (S.WRAP_UP, I.TAKE): S.ON_CALL,  # so too
        (S.WRAP_UP, I.READY): S.AVAILABLE,
        (S.WRAP_UP, I.PAUSE): S.PAUSED,
        (S.WRAP_UP, I.LEAVE): S.OFFLINE,
        (S.PAUSED, I.READY): S.AVAILABLE,
        (S.PAUSED, I.PAUSE): S.PAUSED,
        (S.PAUSED, I.LEAVE): S.OFFLINE,
        (S.PAUSED, I.TAKE): S.ON_CALL,
    },
)


@dataclass
class Agent:
    """An agent in memory, plain so that it can be saved. `wish` is the state to enter after the present call
    ("available", "paused", "offline"), `after` the state from which a call by hand was dialed."""

    user_id: int
    name: str
    campaigns: tuple[int, ...] = ()
    state: AgentState = AGENT.initial
    since: float = 0.0
    reason: str = ""
    seq: int = 0
    wish: str = ""
    wish_reason: str = ""
    after: str = "available"
    after_reason: str = ""
    wrap_up_until: float | None = None
    must_dispose: bool = False
    phone: PhoneView = field(default_factory=PhoneView)
    call: CallView | None = None
    online: bool = False
    online_until: float = 0.0
    preview: dict[str, object] = field(default_factory=dict)  # the hopper entry offered
    wrapping: CallView | None = None  # the call whose wrap-up stands still while it rings again
    supervising: dict[str, Any] = field(default_factory=dict)  # as `AgentView.supervising`
    device: str = "browser"  # or "number", "sip"
    device_number: str = ""
    phone_leg: dict[str, Any] | None = None  # the dialog of a telephone that is the agent's phone
    callers: tuple[OwnCaller, ...] = ()
    queues: tuple[int, ...] = ()
    skills: dict[str, int] = field(default_factory=dict)  # name → level, 1–10
    taken: dict[int, int] = field(default_factory=dict)  # queue → its calls taken on `taken_day`
    taken_day: str = ""  # in the enterprise's zone

    @property
    def free(self) -> bool:
        """Whether a call may be given to this agent now."""
        return self.state is AgentState.AVAILABLE and self.phone.state == "connected"

    def step(self, event: AgentInput, now: float, reason: str = "") -> None:
        """Go to the next state. Raises IllegalEvent and changes nothing if the table does not list it."""
        self.state = AGENT.next(self.state, event)
        self.since = now
        self.reason = reason
