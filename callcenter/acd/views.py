"""The live document of an agent: all that the desk and the board show. Topic `agent:{user_id}`.

Published as a whole at each change. Times are seconds since the epoch; the browser counts the timers itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CallView:
    """The agent's present (or, in wrap-up, last) call. `state`: preview, dialing, ringing, talking, held, far_hold,
    ended.

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
    next_call_s: float | None = None  # expected wait, when predictive dialing knows it
