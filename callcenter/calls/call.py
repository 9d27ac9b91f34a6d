"""A call: a customer's leg and what the call centre does with it.

Theory: before the answer a call is `placed` (dialed by us, or come in and not yet picked up by us); once answered it is
in a menu, waits for an agent, talks, is parked, leaves a message, or hears the identification message because no agent
came in time; from each of them it ends. An agent's hold is a state of the call, the far end's hold one of its leg. A
call that is rung at an agent is still `waiting` (`offered_to` says at whom), so that it keeps its place. Who else is in
the conversation (`parties`: a consulted colleague, a third number, a supervisor) is kept beside the state. `ended` is
final, so a late event can't bring a call back to life.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from callcenter.calls.leg import LEG, LegState
from callcenter.fsm import Machine


class CallState(StrEnum):
    PLACED = "placed"
    MENU = "menu"
    WAITING = "waiting"
    TALKING = "talking"
    HELD = "held"
    PARKED = "parked"
    VOICEMAIL = "voicemail"
    IDENTIFYING = "identifying"
    ENDED = "ended"


class CallInput(StrEnum):
    ANSWERED = "answered"
    MENU = "menu"
    QUEUE = "queue"
    VOICEMAIL = "voicemail"
    PARK = "park"
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
        (S.WAITING, I.QUEUE): S.WAITING,
        (S.WAITING, I.MENU): S.MENU,
        (S.WAITING, I.VOICEMAIL): S.VOICEMAIL,
        (S.WAITING, I.END): S.ENDED,
        (S.MENU, I.MENU): S.MENU,
        (S.MENU, I.QUEUE): S.WAITING,
        (S.MENU, I.BRIDGE): S.TALKING,
        (S.MENU, I.VOICEMAIL): S.VOICEMAIL,
        (S.MENU, I.END): S.ENDED,
        (S.TALKING, I.HOLD): S.HELD,
        (S.TALKING, I.BRIDGE): S.TALKING,
        (S.TALKING, I.PARK): S.PARKED,
        (S.TALKING, I.QUEUE): S.WAITING,
        (S.TALKING, I.MENU): S.MENU,
        (S.TALKING, I.VOICEMAIL): S.VOICEMAIL,
        (S.TALKING, I.END): S.ENDED,
        (S.HELD, I.RESUME): S.TALKING,
        (S.HELD, I.BRIDGE): S.TALKING,
        (S.HELD, I.PARK): S.PARKED,
        (S.HELD, I.QUEUE): S.WAITING,
        (S.HELD, I.MENU): S.MENU,
        (S.HELD, I.VOICEMAIL): S.VOICEMAIL,
        (S.HELD, I.END): S.ENDED,
        (S.PARKED, I.BRIDGE): S.TALKING,
        (S.PARKED, I.QUEUE): S.WAITING,
        (S.PARKED, I.VOICEMAIL): S.VOICEMAIL,
        (S.PARKED, I.END): S.ENDED,
        (S.VOICEMAIL, I.END): S.ENDED,
        (S.IDENTIFYING, I.END): S.ENDED,
    },
)


class PartyRole(StrEnum):
    """What a party hears and who hears it."""

    TALK = "talk"  # all hear each other
    CONSULT = "consult"  # only the call's agent and this party hear each other; the customer is held
    LISTEN = "listen"  # hears all, heard by nobody
    WHISPER = "whisper"  # hears all, heard by the call's agent only


@dataclass
class Party:
    """Somebody in a call besides the customer and the call's agent: a colleague or supervisor (`user_id`), or a number
    (`leg_id`, `number`). `port_id` is its media port. `state`: ringing, early (the network's own tone is heard) or
    talking. `talked`: the customer and it have heard each other. `hidden`: the agent is not told of it."""

    key: str  # "agent:<user id>" or the leg's id
    port_id: str
    role: str  # PartyRole
    state: str = "ringing"
    user_id: int | None = None
    name: str = ""
    number: str = ""
    leg_id: str = ""
    trunk_id: int | None = None
    dialog: dict[str, Any] | None = None
    since: float = 0.0
    by_user: int | None = None  # who brought it in
    transfer: bool = False  # answered, it takes the agent's place at once (a blind transfer)
    talked: bool = False
    hidden: bool = False
    answered_at: float | None = None
    called_at: float = 0.0  # `since` is that of its state
    music: bool = False  # it waits and hears music


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
    sends_nothing: bool = False  # the far end has said so in its session description
    recording_id: str = ""
    dialog: dict[str, Any] | None = None
    codec: str = "pcmu"
    mos: float | None = None
    quality: dict[str, dict[str, float]] = field(default_factory=dict)  # "customer", "agent" → loss, jitter_ms …
    # --- inbound, and what menus and queues do with any call
    direction: str = "out"  # in, out
    did: str = ""  # the number that was dialed, E.164
    did_id: int | None = None
    port_id: str = ""  # the customer's media port, if not the call's own (a try-out from an agent's browser)
    language: str = "en"
    caller: dict[str, Any] = field(default_factory=dict)  # who calls, as looked up: `crm.queries.callers`
    run: dict[str, Any] = field(default_factory=dict)  # the state of the menu's interpreter
    shown: dict[str, str] = field(default_factory=dict)  # what menus want the agent to see
    path: list[str] = field(default_factory=list)  # menus and nodes passed, in words
    queue_id: int | None = None
    queued_at: float | None = None  # since when it waits; kept over transfers between queues by overflow
    priority: int = 0
    skills: dict[str, int] = field(default_factory=dict)
    sticky_agent: int | None = None
    offered_to: int | None = None
    offered_at: float | None = None
    play: str = ""  # name of the controller's `Play` that is being heard
    plays: int = 0  # how many there were: each has its own number
    voice: dict[str, Any] = field(default_factory=dict)  # a `RecordVoice` under way: name, recording_id, stop_keys
    bound_for: dict[str, Any] = field(default_factory=dict)  # come in, not yet answered: where it goes then
    entered_at: float | None = None  # since when it is in its present queue
    queue_wait_s: float = 0.0  # in queues it has left
    for_agent: int | None = None  # waits for this agent, in no queue
    told_owner: int | None = None  # who is shown that it waits for him
    diverted: int = 0  # how often it was sent on since a person spoke to it
    result: str = ""  # the CDR's outcome, if it is neither a conversation nor a cause: voicemail, callback, menu
    record_rule: str = ""  # the number's or queue's: always, on_demand, never
    ticket_id: str = ""  # a caller who kept his place is called back by this call
    parties: dict[str, Party] = field(default_factory=dict)
    park_slot: str = ""
    parked_by: int | None = None
    last_agent: int | None = None  # who had the call, once it has no agent any more
    legs: int = 0  # third numbers called so far; names their legs
    on_demand: bool = False  # the agent may start the recording
    record_paused: bool = False
    music: bool = False  # the customer is held and hears music
    tone: bool = False  # the agent hears it ring at whom he consults
    notice: dict[str, Any] = field(default_factory=dict)  # as `CallView.notice`

    @property
    def port(self) -> str:
        """The customer's media port."""
        return self.port_id or f"call-{self.call_id}"

    @property
    def answering(self) -> bool:
        """Come in, and our 200 is on its way or waits for its ACK."""
        return self.state is CallState.PLACED and self.dialog is not None and self.dialog.get("state") == "answering"

    @property
    def in_flight(self) -> bool:
        """Placed and not yet answered."""
        return self.state is CallState.PLACED

    def step(self, event: CallInput, now: float) -> None:
        """Go to the next state. Raises IllegalEvent and changes nothing if the table does not list it."""
        self.state = CALL.next(self.state, event)
        self.state_since = now
