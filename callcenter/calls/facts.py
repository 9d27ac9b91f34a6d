"""Facts about calls and agents: what the recorder folds into CDRs, leads and figures.

Times in seconds since the epoch. A call's facts come in order, may come twice, and end with `call.ended`, which carries
the whole CDR, so that one lost fact loses no call.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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
    direction: str = "out"
    did: str = ""


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
    direction: str = "out"
    did: str = ""
    queue_id: int | None = None  # the last queue
    queue_wait_s: float | None = None  # in queues, before the agent or the end
    path: tuple[str, ...] = ()
    shown: dict[str, str] = field(default_factory=dict)
    quality: dict[str, dict[str, float]] = field(default_factory=dict)  # by "customer", "agent"


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


@FACTS.add("call.caller_identified")
@dataclass(frozen=True)
class CallerIdentified:
    """The agent said which customer this is."""

    call_id: str
    customer_id: int
    user_id: int


@FACTS.add("call.wrapped_up")
@dataclass(frozen=True)
class CallWrappedUp:
    """The agent has left the wrap-up of this call. `owed`: an outcome was due, and he gave none."""

    call_id: str
    agent_id: int
    at: float
    owed: bool = False


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


@FACTS.add("call.queued")
@dataclass(frozen=True)
class CallQueued:
    """A call entered a queue. `since` may be earlier than `at`: the place it keeps."""

    call_id: str
    queue_id: int
    at: float
    since: float
    priority: int
    phone_e164: str


@FACTS.add("call.left_queue")
@dataclass(frozen=True)
class CallLeftQueue:
    """Every queued call leaves once. `how`: connected, abandoned, overflow, callback, voicemail, transferred,
    ended. `wait_s` since it entered this queue, `answered_in_target` by the queue's service level."""

    call_id: str
    queue_id: int
    at: float
    wait_s: float
    how: str
    agent_id: int | None = None
    answered_in_target: bool = False


@FACTS.add("call.offered")
@dataclass(frozen=True)
class CallOffered:
    """An agent's phone begins to ring."""

    call_id: str
    queue_id: int | None
    agent_id: int
    at: float


@FACTS.add("call.offer_ended")
@dataclass(frozen=True)
class OfferEnded:
    """`how`: taken, no_answer, declined, gone (the caller hung up or the agent was lost)."""

    call_id: str
    queue_id: int | None
    agent_id: int
    at: float
    how: str
    rang_s: float


@FACTS.add("call.transferred")
@dataclass(frozen=True)
class CallTransferred:
    """`kind`: blind, attended, take_over (by a supervisor), left (of a conference). `to_kind` as DestinationKind."""

    call_id: str
    by_user: int
    kind: str
    to_kind: str
    to_id: int | None
    to_number: str
    at: float


@FACTS.add("call.party_joined")
@dataclass(frozen=True)
class PartyJoined:
    """A party is called, or joins. `role` as `calls.call.PartyRole`; listening, whispering, barging and taking over are
    in the audit by this."""

    call_id: str
    party_key: str
    role: str
    user_id: int | None
    number: str
    at: float
    by_user: int | None = None


@FACTS.add("call.party_left")
@dataclass(frozen=True)
class PartyLeft:
    """The whole of a party's time in a call: a lost `party_joined` loses nothing. `since`: when it was called or
    joined. `outcome`: talked, agent (it has the call now), or why it never talked: busy, no_answer, declined ..."""

    call_id: str
    party_key: str
    at: float
    role: str = ""
    user_id: int | None = None
    number: str = ""
    since: float | None = None
    answered_at: float | None = None
    outcome: str = ""
    by_user: int | None = None


@FACTS.add("ivr.node_left")
@dataclass(frozen=True)
class NodeLeft:
    """A caller passed a node of a menu. `way` is the exit taken, "hang_up" if the caller left here."""

    call_id: str
    flow_id: int
    version: int
    node_id: str
    verb: str
    entered_at: float
    left_at: float
    way: str


@FACTS.add("ivr.answer")
@dataclass(frozen=True)
class SurveyAnswer:
    """What a caller answered to a survey question or left as a spoken answer (`recording_id`)."""

    call_id: str
    flow_id: int
    node_id: str
    question: str
    answer: str
    at: float
    recording_id: str = ""


@FACTS.add("ivr.text_asked")
@dataclass(frozen=True)
class TextAsked:
    """A menu wants `number` (E.164) to get a text. One for each call and node, however often it is told."""

    call_id: str
    flow_id: int
    node_id: str
    number: str
    body: str
    at: float


@FACTS.add("voicemail.left")
@dataclass(frozen=True)
class VoicemailLeft:
    """A message. `user_id` is the box's owner, None with `queue_id` or neither: the enterprise's."""

    call_id: str
    recording_id: str
    phone_e164: str
    did: str
    customer_id: int | None
    user_id: int | None
    queue_id: int | None
    seconds: float
    at: float


@FACTS.add("queue.callback_kept")
@dataclass(frozen=True)
class CallbackKept:
    """A caller hung up and keeps the place: `ticket_id` is called at `number` when due, until `expires_at`."""

    ticket_id: str
    call_id: str
    queue_id: int
    number: str
    at: float
    expires_at: float


@FACTS.add("queue.callback_ended")
@dataclass(frozen=True)
class CallbackTicketEnded:
    """`how`: connected, no_answer, expired, cancelled."""

    ticket_id: str
    queue_id: int
    at: float
    how: str
    call_id: str = ""
