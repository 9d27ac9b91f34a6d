"""Commands to the engine about agents and their calls. All name the agent by `user_id`; the envelope names the tenant.

Answers are plain data; errors are `AppError`s with a code. Commands may come twice: each is harmless when repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from callcenter.events.envelope import COMMANDS


@COMMANDS.add("phone.offer")
@dataclass(frozen=True)
class PhoneOffer:
    """The browser's WebRTC offer. Answer: {"sdp": answer}. Opens (or re-attaches) the agent's nailed-up leg."""

    user_id: int
    sdp: str


@COMMANDS.add("phone.close")
@dataclass(frozen=True)
class PhoneClose:
    """The page is left on purpose. A call that is up gets the grace time to come back."""

    user_id: int


@COMMANDS.add("agent.presence")
@dataclass(frozen=True)
class Presence:
    """From the web process, on connect, every 10 s, and on the last disconnect of the user's sockets."""

    user_id: int
    online: bool


@COMMANDS.add("agent.state")
@dataclass(frozen=True)
class SetState:
    """The agent's (or a supervisor's) wish: `state` is available, paused or offline; `reason` a pause reason code.
    During a call it takes effect afterwards."""

    user_id: int
    state: str
    reason: str = ""


@COMMANDS.add("agent.pause_after")
@dataclass(frozen=True)
class PauseAfter:
    """Pause when the present call and its wrap-up are done."""

    user_id: int
    on: bool
    reason: str = ""


@COMMANDS.add("call.dial")
@dataclass(frozen=True)
class Dial:
    """Click to call. `number` E.164; `lead_id`, `customer_id`, `campaign_id`, `name` tie the call to a record. `card`
    is what the desk shows. `local_time_zone` is the callee's (for the calling window). Answer: {"call_id"}."""

    user_id: int
    number: str
    lead_id: int | None = None
    customer_id: int | None = None
    campaign_id: int | None = None
    name: str = ""
    time_zone: str = ""
    blacklisted: bool = False
    attempts_24h: int = 0
    card: dict[str, object] = field(default_factory=dict)


@COMMANDS.add("call.hangup")
@dataclass(frozen=True)
class HangUp:
    user_id: int


@COMMANDS.add("call.hold")
@dataclass(frozen=True)
class Hold:
    user_id: int
    on: bool


@COMMANDS.add("call.dtmf")
@dataclass(frozen=True)
class Dtmf:
    """Keypad digits for the far end: 0–9 * #."""

    user_id: int
    digits: str


@COMMANDS.add("call.disposition")
@dataclass(frozen=True)
class SetDisposition:
    """The agent's outcome of `call_id`, in talk or in wrap-up. `callback_at` seconds since the epoch if one was
    promised, `callback_mine` for this agent only. `next_state`: available or paused; ends the wrap-up."""

    user_id: int
    call_id: str
    disposition_id: int
    note: str = ""
    callback_at: float | None = None
    callback_mine: bool = True
    next_state: str = "available"


@COMMANDS.add("preview.answer")
@dataclass(frozen=True)
class PreviewAnswer:
    """The agent dials the previewed lead, or skips it."""

    user_id: int
    dial: bool


@COMMANDS.add("call.answer")
@dataclass(frozen=True)
class AnswerCall:
    """The agent picks up the call that rings at him."""

    user_id: int


@COMMANDS.add("call.decline")
@dataclass(frozen=True)
class DeclineCall:
    """The agent does not take the call that rings at him: it goes on to the next, he is paused."""

    user_id: int


@COMMANDS.add("call.customer")
@dataclass(frozen=True)
class IdentifyCaller:
    """The agent says which customer this is (several have the number, or a card was just made)."""

    user_id: int
    customer_id: int
    card: dict[str, object] = field(default_factory=dict)


@COMMANDS.add("call.transfer")
@dataclass(frozen=True)
class Transfer:
    """Blind: the call goes at once to `kind` (menu, queue, agent, voicemail, number) and the agent is in wrap-up.
    Attended (agent or number only): the customer is held and the agent speaks with the other first."""

    user_id: int
    attended: bool
    kind: str
    id: int | None = None
    number: str = ""


@COMMANDS.add("call.transfer_done")
@dataclass(frozen=True)
class CompleteTransfer:
    """The consulted one has the call, the agent is out of it (wrap-up)."""

    user_id: int


@COMMANDS.add("call.conference")
@dataclass(frozen=True)
class MakeConference:
    """Customer, agent and the consulted one all hear each other."""

    user_id: int


@COMMANDS.add("call.leave")
@dataclass(frozen=True)
class LeaveCall:
    """The agent leaves a conference; the others go on talking (a party that is an agent becomes the call's agent)."""

    user_id: int


@COMMANDS.add("call.drop_party")
@dataclass(frozen=True)
class DropParty:
    """A party leaves: a consultation ends and the customer is back, or a conference goes on without it."""

    user_id: int
    party_key: str


@COMMANDS.add("call.park")
@dataclass(frozen=True)
class Park:
    """Answer: {"slot"}: the call waits there (music) for `PickUp`; after the park time it rings at this agent again."""

    user_id: int


@COMMANDS.add("call.pick_up")
@dataclass(frozen=True)
class PickUp:
    """Take the parked call in `slot`."""

    user_id: int
    slot: str


@COMMANDS.add("call.voicemail_drop")
@dataclass(frozen=True)
class VoicemailDrop:
    """Leave the recorded message `prompt_id` on the far end's answering machine; the agent is free at once."""

    user_id: int
    prompt_id: int


@COMMANDS.add("call.record")
@dataclass(frozen=True)
class RecordCall:
    """Recording by the agent's hand: "start", "pause" (card numbers), "resume"."""

    user_id: int
    action: str


@COMMANDS.add("call.supervise")
@dataclass(frozen=True)
class Supervise:
    """`how`: listen, whisper, barge, take_over, stop. `user_id` is the supervisor, whose phone must be connected.
    `tell_agent`: whether the agent sees that someone listens."""

    user_id: int
    agent_id: int
    how: str
    tell_agent: bool = True


@COMMANDS.add("agent.force")
@dataclass(frozen=True)
class ForceState:
    """A supervisor changes an agent's state: available, paused, offline; `hang_up` ends a call that is up, otherwise
    the state is entered after it."""

    user_id: int
    state: str
    reason: str
    by_user: int
    hang_up: bool = False


@COMMANDS.add("phone.device")
@dataclass(frozen=True)
class PhoneDevice:
    """The agent's phone from now on: "browser", "number" with `number` (E.164 or an extension of a trunk), or "sip",
    his registered SIP phone. A telephone is called at once and stays up as the agent's nailed-up leg."""

    user_id: int
    kind: str
    number: str = ""


@COMMANDS.add("flow.try")
@dataclass(frozen=True)
class TryFlow:
    """Call flow `flow_id` (its draft `doc`, if given) from the agent's own phone. Answer: {"call_id"}. The node it is
    in is told on topic `flow-try:{user_id}`."""

    user_id: int
    flow_id: int
    doc: dict[str, object] | None = None


@COMMANDS.add("queue.remove")
@dataclass(frozen=True)
class RemoveWaiting:
    """A supervisor sends a waiting caller elsewhere (as Transfer's kinds)."""

    call_id: str
    kind: str
    id: int | None = None
    number: str = ""


@COMMANDS.add("settings.changed")
@dataclass(frozen=True)
class SettingsChanged:
    """From the relay: `doc` is the newest document of (entity, id), None if it is gone."""

    entity: str
    id: int
    doc: dict[str, object] | None
