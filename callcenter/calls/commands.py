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


@COMMANDS.add("settings.changed")
@dataclass(frozen=True)
class SettingsChanged:
    """From the relay: `doc` is the newest document of (entity, id), None if it is gone."""

    entity: str
    id: int
    doc: dict[str, object] | None
