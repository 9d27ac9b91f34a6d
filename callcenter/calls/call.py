"""A call: a customer's leg and what the call centre does with it.

Theory: before the answer a call is `placed`; once answered it either waits for an agent, talks, or hears the
identification message because no agent came in time; from each of them it ends. An agent's hold is a state of the call,
the far end's hold one of its leg. `ended` is final, so a late event can't bring a call back to life.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from callcenter.calls.leg import LEG, LegState
from callcenter.fsm import Machine


class CallState(StrEnum):
    PLACED = "placed"
    WAITING = "waiting"
    TALKING = "talking"
    HELD = "held"
    IDENTIFYING = "identifying"
    ENDED = "ended"


class CallInput(StrEnum):
    ANSWERED = "answered"
    BRIDGE = "bridge"
    HOLD = "hold"
    RESUME = "resume"
    NO_AGENT = "no_agent"
    END = "end"


S, I = CallState, CallInput  # noqa: E741  two letters keep the table readable

CALL: Machine[CallState, CallInput] = Machine(
    name="call",
    initial=S.PLACED,
    final=frozenset({S.ENDED}),
    table={
        (S.PLACED, I.ANSWERED): S.WAITING,
        (S.PLACED, I.END): S.ENDED,
        (S.WAITING, I.BRIDGE): S.TALKING,
        (S.WAITING, I.NO_AGENT): S.IDENTIFYING,
        (S.WAITING, I.END): S.ENDED,
        (S.TALKING, I.HOLD): S.HELD,
        (S.TALKING, I.END): S.ENDED,
        (S.HELD, I.RESUME): S.TALKING,
        (S.HELD, I.END): S.ENDED,
        (S.IDENTIFYING, I.END): S.ENDED,
    },
)


@dataclass
class Call:
    """A call in memory. Times are seconds since the epoch; all of it is plain, so that it can be saved and taken up by
    a successor. `dialog` is the adapter's record of the SIP dialog (`ports.Dialog` as plain data)."""

    call_id: str
    control: str  # name of the CallControl that decides
    mode: str
    number: str  # E.164
    caller_id: str
    trunk_id: int
    dialed: str  # the number as the trunk wants it
    started_at: float
    ring_timeout_s: float
    campaign_id: int | None = None
    lead_id: int | None = None
    customer_id: int | None = None
    agent_id: int | None = None
    record: bool = True
    patience_s: float = 2.0
    prompt: str = ""  # path of the identification message
    card: dict[str, Any] = field(default_factory=dict)
    state: CallState = CALL.initial
    leg: LegState = LEG.initial
    state_since: float = 0.0
    ringing_at: float | None = None
    answered_at: float | None = None
    connected_at: float | None = None
    held_at: float | None = None
    hold_s: float = 0.0
    abandoned: bool = False
    hanging_up_since: float | None = None  # we asked the leg to end
    hung_up_by: str = ""
    cause: str = ""  # once ended
    recording_id: str = ""
    dialog: dict[str, Any] | None = None
    codec: str = "pcmu"
    mos: float | None = None

    @property
    def in_flight(self) -> bool:
        """Placed and not yet answered."""
        return self.state is CallState.PLACED

    def step(self, event: CallInput, now: float) -> None:
        """Go to the next state. Raises IllegalEvent and changes nothing if the table does not list it."""
        self.state = CALL.next(self.state, event)
        self.state_since = now
