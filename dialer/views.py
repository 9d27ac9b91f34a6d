"""The live document of a campaign: what the console shows. Topic `campaign:{id}`, each second while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CallRow:
    """One call of the console's list. `state`: dialing, ringing, waiting (answered, no agent yet), talking."""

    call_id: str
    state: str
    phone_e164: str
    name: str
    agent_id: int | None
    agent_name: str
    since: float


@dataclass(frozen=True)
class Minute:
    """What happened in one minute, for the chart. `at` is its start, seconds since the epoch."""

    at: float
    placed: int = 0
    answered: int = 0
    connected: int = 0
    abandoned: int = 0
    available: int = 0  # agents at the minute's end …
    on_call: int = 0
    wrap_up: int = 0
    paused: int = 0


@dataclass(frozen=True)
class CampaignView:
    """`limit` is the code of the limit now in force (`dialer.limits.Limit`), `limit_params` fills its sentence.

    `agents`: state → how many. `today` and `days30`: placed, answered, connected, abandoned; abandoned_rate is
    abandoned / (connected + abandoned). `left`: lead status → how many in the lists. `hopper`: leads ready to dial.
    """

    campaign_id: int
    seq: int
    at: float
    state: str
    mode: str
    ratio: float
    abandon_cap: float
    limit: str
    limit_params: dict[str, Any]
    agents: dict[str, int]
    ringing: int
    waiting: int
    talking: int
    hopper: int
    today: dict[str, float]
    days30: dict[str, float]
    left: dict[str, int]
    minutes: tuple[Minute, ...] = ()
    calls: tuple[CallRow, ...] = ()
    agent_rows: tuple[dict[str, Any], ...] = ()  # user_id, name, state, since, call phone
    callbacks_due: int = 0
    next_window_at: float | None = None
    waits: dict[str, float] = field(default_factory=dict)  # p50, p90 of answer → agent, ms
