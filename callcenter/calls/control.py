"""Call control: who decides what becomes of a call.

A controller is asked at each turn of a call and gives typed answers; the floor carries them out. Controllers are
registered by name and never know each other. They are pure: no clock, no I/O, and no reference to the floor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from callcenter.calls.call import Call
from callcenter.calls.destination import Destination

# ------------------------------------------------------------------------------------------------ turns of a call


@dataclass(frozen=True)
class Placed:
    """The INVITE is about to go out."""


@dataclass(frozen=True)
class Ringing:
    """`early_media`: the far end plays its own tone."""

    early_media: bool


@dataclass(frozen=True)
class Answered:
    """The far end has picked up."""


@dataclass(frozen=True)
class NobodyFree:
    """`FindAgent` found none; the call waits and is given to the next one who becomes free."""


@dataclass(frozen=True)
class TimerFired:
    name: str


@dataclass(frozen=True)
class HandedOver:
    """The call is this controller's from now on. `data` is what the one before knew: for a menu `flow_id`."""

    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Played:
    """A `Play` named so reached its end (`complete`) or was stopped."""

    name: str
    complete: bool


@dataclass(frozen=True)
class Key:
    """The caller pressed 0–9, * or #."""

    digit: str


@dataclass(frozen=True)
class HttpDone:
    """The answer to `Http` named so. `status` 0: no answer (`error` says why). `fields`: what was asked for and found,
    by variable."""

    name: str
    status: int
    fields: Mapping[str, str]
    error: str = ""


@dataclass(frozen=True)
class VoiceRecorded:
    """`RecordVoice` named so has ended: by a key, by silence, by its limit."""

    name: str
    recording_id: str
    seconds: float


@dataclass(frozen=True)
class Resumed:
    """An engine took up the call of one that died: its timers are gone, and what was being played may have ended
    unheard. `call.play` names what was being heard."""


@dataclass(frozen=True)
class Gone:
    """The call ends while it is this controller's, whoever hung up. Of the answers only `Tell` counts."""


@dataclass(frozen=True)
class QueueDue:
    """Something is due for a waiting caller: `kind` as `acd.waiting.DueKind`, `prompt` a message of comfort; place (1
    is next) and expected wait are None where the queue does not tell them."""

    kind: str
    place: int | None = None
    wait_s: float | None = None
    prompt: str = ""


Turn = (
    Placed | Ringing | Answered | NobodyFree | TimerFired | HandedOver | Played | Key | HttpDone | VoiceRecorded
    | Resumed | Gone | QueueDue
)  # fmt: skip

# ------------------------------------------------------------------------------------------------------- answers


@dataclass(frozen=True)
class FindAgent:
    """Give the call to the agent of its campaign who has waited longest."""


@dataclass(frozen=True)
class Attach:
    """Let the call's own agent hear what comes from the far end, before the answer too."""


@dataclass(frozen=True)
class Ringback:
    """Play a ringing tone to the call's agent."""


@dataclass(frozen=True)
class Bridge:
    """Connect the call with its own agent."""


@dataclass(frozen=True)
class Timer:
    """Ask again in `after_s` seconds with TimerFired(name), unless the call has ended or another controller has it."""

    name: str
    after_s: float


@dataclass(frozen=True)
class Identify:
    """Play the identification message, then hang up: an abandoned call."""


@dataclass(frozen=True)
class HangUp:
    """End the call."""


@dataclass(frozen=True)
class Play:
    """Play prompts to the caller, one after the other; `Played(name)` follows. A prompt is "prompt:<id>" (the
    enterprise's), "say:<language>:<text>" (synthesised), "tone:…", "silence", or the name of an installed one."""

    name: str
    prompts: tuple[str, ...]
    loop: bool = False


@dataclass(frozen=True)
class StopPlay:
    """Stop what the caller hears; Played(complete=False) follows if something was."""


@dataclass(frozen=True)
class CancelTimer:
    name: str


@dataclass(frozen=True)
class Http:
    """Ask another system; `HttpDone(name)` follows within `timeout_s`. `fields`: variable → path in the JSON answer
    (dots and list indices: "customer.orders.0.state")."""

    name: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    timeout_s: float = 5.0
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RecordVoice:
    """Record the caller until a key of `stop_keys`, `silence_s` of silence or `max_s`; `VoiceRecorded` follows."""

    name: str
    max_s: float = 120.0
    silence_s: float = 4.0
    stop_keys: str = "#"


@dataclass(frozen=True)
class SetLanguage:
    """The language in which the caller is spoken to from now on: "en" or "zh"."""

    language: str


@dataclass(frozen=True)
class Show:
    """Facts about the caller that the agent will see on the card: menu path, keyed digits, survey answers."""

    values: Mapping[str, str]


@dataclass(frozen=True)
class Tell:
    """A fact for the stream."""

    fact: object


@dataclass(frozen=True)
class HandOver:
    """Give the call to `to`. For a queue, `data` may have `priority` (int, higher is sooner), `skills` (name →
    level wanted, 1–10) and `sticky_agent` (a user's id)."""

    to: Destination
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class KeepPlace:
    """The waiting caller wants to be called back in his turn: at `number` as he keyed it, "" for the one he calls from.
    `QueueDue` follows, its kind "kept" or "bad_number"."""

    number: str = ""


Answer = (
    FindAgent | Attach | Ringback | Bridge | Timer | CancelTimer | Identify | HangUp
    | Play | StopPlay | Http | RecordVoice | SetLanguage | Show | Tell | HandOver | KeepPlace
)  # fmt: skip


class CallControl(Protocol):
    """Decides for the calls that carry its `name`."""

    name: str

    def decide(self, turn: Turn, call: Call, now: float) -> Sequence[Answer]:
        """What to do at this turn of the call; nothing is a valid answer."""


class Nobody:
    """Decides nothing: for a call that people or the floor itself have taken in hand (a transfer, a parked call)."""

    name = ""

    def decide(self, turn: Turn, call: Call, now: float) -> Sequence[Answer]:
        """See `CallControl`."""
        return ()


class Controls:
    """Controllers by name; "" is `Nobody`."""

    def __init__(self, *controls: CallControl) -> None:
        self._by_name = {c.name: c for c in (Nobody(), *controls)}

    def of(self, call: Call) -> CallControl:
        """The controller of `call`. KeyError if it is not registered: a wiring mistake of ours."""
        return self._by_name[call.control]

    def find(self, name: str) -> CallControl | None:
        """The controller of this name; None for "" (people talk, nobody decides) and one that is not registered."""
        return self._by_name.get(name)
