"""Facts about calls and agents: what the recorder folds into CDRs, leads and figures.

Times in seconds since the epoch. A call's facts come in order, may come twice, and end with `call.ended`, which carries
the whole CDR, so that one lost fact loses no call.
"""

from __future__ import annotations

from dataclasses import dataclass

from callcenter.events.envelope import FACTS


@FACTS.add("call.started")
@dataclass(frozen=True)
class CallStarted:
    """Written before the INVITE goes out."""

    call_id: str
    mode: str
    phone_e164: str
    caller_id: str
    trunk_id: int | None
    campaign_id: int | None
    lead_id: int | None
    customer_id: int | None
    agent_id: int | None  # for manual and preview calls
    started_at: float


@FACTS.add("call.connected")
@dataclass(frozen=True)
class CallConnected:
    """An agent and the customer hear each other."""

    call_id: str
    agent_id: int
    connected_at: float
    wait_ms: int


@FACTS.add("call.ended")
@dataclass(frozen=True)
class CallEnded:
    """The whole CDR. `outcome`: connected, abandoned, or a `telephony.ports.Cause`. `hung_up_by`: agent, customer,
    system."""

    call_id: str
    mode: str
    phone_e164: str
    caller_id: str
    trunk_id: int | None
    campaign_id: int | None
    lead_id: int | None
    customer_id: int | None
    agent_id: int | None
    started_at: float
    ringing_at: float | None
    answered_at: float | None
    connected_at: float | None
    ended_at: float
    outcome: str
    cause: str
    sip_status: int
    hung_up_by: str
    wait_ms: int | None
    hold_s: float
    mos: float | None = None


@FACTS.add("call.dispositioned")
@dataclass(frozen=True)
class CallDispositioned:
    """The agent's outcome; closes the wrap-up."""

    call_id: str
    agent_id: int
    campaign_id: int | None
    lead_id: int | None
    customer_id: int | None
    phone_e164: str
    disposition_id: int
    note: str
    callback_at: float | None
    callback_mine: bool


@FACTS.add("call.wrapped_up")
@dataclass(frozen=True)
class CallWrappedUp:
    """The agent has left the wrap-up of this call."""

    call_id: str
    agent_id: int
    at: float


@FACTS.add("lead.returned")
@dataclass(frozen=True)
class LeadReturned:
    """A lead that was taken and not dialed: it may be dialed again, not before `retry_at` if given. No campaign: taken
    by an agent's hand."""

    lead_id: int | None  # None: it was deleted meanwhile
    campaign_id: int | None
    reason: str
    retry_at: float | None = None


@FACTS.add("lead.refused")
@dataclass(frozen=True)
class LeadRefused:
    """A rule forbade dialing this lead when its turn came. `retry_at` is when it may be dialed, None: never."""

    lead_id: int | None  # None: it was deleted meanwhile
    campaign_id: int | None
    phone_e164: str
    rule: str
    detail: str
    retry_at: float | None


@FACTS.add("agent.state")
@dataclass(frozen=True)
class AgentStateChanged:
    """An agent entered a state."""

    user_id: int
    state: str
    reason: str
    call_id: str | None
    since: float


@FACTS.add("recording.started")
@dataclass(frozen=True)
class RecordingStarted:
    """`path` is relative to the recordings directory."""

    recording_id: str
    call_id: str
    path: str
    started_at: float


@FACTS.add("recording.ended")
@dataclass(frozen=True)
class RecordingClosed:
    """The file is complete."""

    recording_id: str
    call_id: str
    seconds: float
    size_bytes: int
