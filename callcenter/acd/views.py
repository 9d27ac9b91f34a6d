"""The live documents of agents and queues: all that the desk and the boards show. Topics `agent:{user_id}`,
`queue:{id}`.

Published as a whole at each change. Times are seconds since the epoch; the browser counts the timers itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PartyView:
    """Somebody else in the call: `role` talk, consult, listen, whisper; `state` ringing, talking."""

    key: str
    role: str
    state: str
    since: float
    user_id: int | None = None
    name: str = ""
    number: str = ""


@dataclass(frozen=True)
class CallView:
    """The agent's present (or, in wrap-up, last) call. `state`: preview, offered (rings at the agent), dialing, ringing
    (at the far end), talking, consulting, held, far_hold, ended. `notice.code`: party_ and why a third party is not or
    no longer there (busy, no_answer, declined, invalid, no_line, left, lost, failed); or came_back: a transfer that was
    not taken (`why`), a parked call.

    `card` is what the pop shows at once: name, phone, fields, lead_id, customer_id, list, campaign, script_id,
    attempts, from the hopper.
    """

    call_id: str
    state: str
    direction: str
    mode: str
    phone_e164: str
    since: float  # entered `state`
    started_at: float
    connected_at: float | None = None
    ended_at: float | None = None
    campaign_id: int | None = None
    campaign_name: str = ""
    lead_id: int | None = None
    customer_id: int | None = None
    card: dict[str, Any] = field(default_factory=dict)
    recording: bool = False
    cause: str = ""  # why it ended or failed
    dispositioned: bool = False
    preview_until: float | None = None  # then the lead is dialed by itself
    answer_until: float | None = None  # offered: then it goes to another agent
    auto_answer: bool = False
    did: str = ""
    queue_id: int | None = None
    queue_name: str = ""
    queued_at: float | None = None
    path: tuple[str, ...] = ()  # menus passed
    shown: dict[str, str] = field(default_factory=dict)  # what was keyed and answered on the way
    matches: tuple[dict[str, Any], ...] = ()  # customers with this number, if several: {id, name, ...}
    parties: tuple[PartyView, ...] = ()
    notice: dict[str, Any] = field(default_factory=dict)  # {code, name, number, at}: what became of a third party
    can_record: str = ""  # "", start, pause, resume: what the agent's record button does


@dataclass(frozen=True)
class PhoneView:
    """The agent's audio leg. `state`: off, connecting, connected, interrupted."""

    state: str = "off"
    since: float = 0.0
    loss: float | None = None  # fraction, towards us
    jitter_ms: float | None = None
    round_trip_ms: float | None = None
    mos: float | None = None


@dataclass(frozen=True)
class OwnCaller:
    """A caller who waits for one agent in person, `since` when."""

    call_id: str
    name: str
    phone_e164: str
    since: float


@dataclass(frozen=True)
class AgentView:
    """`state`: offline, available, ringing, on_call, wrap_up, paused (the table is in `acd.agent`). `wrap_up_until`:
    then available by itself (None: only by the agent). `seq` rises with every change, across restarts."""

    user_id: int
    name: str
    seq: int
    state: str
    since: float
    reason: str = ""
    pause_after: bool = False
    wrap_up_until: float | None = None
    phone: PhoneView = field(default_factory=PhoneView)
    call: CallView | None = None
    campaigns: tuple[int, ...] = ()
    queues: tuple[int, ...] = ()
    device: str = "browser"  # or "number", "sip"
    supervising: dict[str, Any] = field(default_factory=dict)  # {agent_id, how, call_id} of one who listens in
    callers: tuple[OwnCaller, ...] = ()  # who wait for him in person, the longest first
    next_call_s: float | None = None  # expected wait, when predictive dialing knows it


@dataclass(frozen=True)
class WaitingView:
    """A caller in a queue. `offered_to`: rings at this agent."""

    call_id: str
    phone_e164: str
    name: str
    since: float
    priority: int
    offered_to: int | None = None
    callback: bool = False  # hung up and keeps the place


@dataclass(frozen=True)
class QueueView:
    """Live document `queue:{id}`; all figures of today (enterprise's zone) except those of now. Formulas are in
    `callcenter.metrics.definitions`."""

    id: int
    name: str
    at: float
    waiting: tuple[WaitingView, ...] = ()
    longest_wait_since: float | None = None
    expected_wait_s: float | None = None
    agents: int = 0  # signed on (not offline)
    available: int = 0
    talking: int = 0
    wrap_up: int = 0
    paused: int = 0
    offered: int = 0  # entered today
    answered: int = 0
    answered_in_target: int = 0
    abandoned: int = 0
    overflowed: int = 0
    callbacks: int = 0
    service_level: float | None = None  # fraction
    target: float = 0.8
    target_s: float = 20.0
    asa_s: float | None = None
    aht_s: float | None = None
    blending: str = ""  # "inbound": its agents are kept from campaigns just now
