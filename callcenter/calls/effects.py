"""What the floor wants done: typed effects, carried out by the engine's shell in this order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from callcenter.acd.views import AgentView
from callcenter.calls.call import Call


class Effect:
    """Base of all effects."""


@dataclass(frozen=True)
class Originate(Effect):
    """Send the INVITE of a placed call. The shell first makes it durable (facts, saved call), then opens the port."""

    call_id: str


@dataclass(frozen=True)
class AnswerLeg(Effect):
    """200 for a call that came in."""

    call_id: str


@dataclass(frozen=True)
class RefuseLeg(Effect):
    """A final refusal for a call that came in."""

    call_id: str
    status: int
    reason: str


@dataclass(frozen=True)
class OriginateParty(Effect):
    """INVITE a third number into a call: its leg id is `party_key`, its port `fx.party_port(party_key)`. The shell
    chooses the trunk; if none is free it tells the floor by `party_lost`."""

    call_id: str
    party_key: str
    number: str


@dataclass(frozen=True)
class HangUpParty(Effect):
    """BYE or CANCEL for a party's own leg, and its port is closed."""

    call_id: str
    party_key: str


@dataclass(frozen=True)
class PlayPrompts(Effect):
    """Prompts as in `control.Play`, resolved and joined by the shell, in `language`."""

    port_id: str
    play_id: str
    prompts: tuple[str, ...]
    language: str
    loop: bool = False
    mix: bool = False


@dataclass(frozen=True)
class AskHttp(Effect):
    """Carry out `control.Http` (`ask`) and tell the floor by `http_done`."""

    call_id: str
    ask: object


@dataclass(frozen=True)
class RecordVoicePort(Effect):
    """Record one port alone (a voicemail, an answer to a question): both channels carry it. `silence_s` of silence end
    it; without end it goes on until `StopRecord`."""

    recording_id: str
    call_id: str
    port_id: str
    silence_s: float = 0.0


@dataclass(frozen=True)
class RetargetRecord(Effect):
    """Other ports feed the channels from now on."""

    recording_id: str
    left_port: str
    right_port: str


@dataclass(frozen=True)
class QueueChanged(Effect):
    """Publish the queue's live document (the shell may join several into one per 100 ms)."""

    queue_id: int


@dataclass(frozen=True)
class DialQueued(Effect):
    """A caller who kept his place by a call-back is due: dial him for agent `user_id`. The shell places the call
    (`Call.ticket_id`), or tells the floor by `ticket_not_dialed`."""

    ticket_id: str
    user_id: int


@dataclass(frozen=True)
class TicketChanged(Effect):
    """Save the kept place, or forget it if it is gone."""

    ticket_id: str


@dataclass(frozen=True)
class TodayChanged(Effect):
    """Save the queue's figures of today."""

    queue_id: int


@dataclass(frozen=True)
class TryEnded(Effect):
    """A menu that was tried is over: tell where it would have sent the call (`Call.bound_for`)."""

    call: Call


@dataclass(frozen=True)
class HangUpLeg(Effect):
    """BYE or CANCEL."""

    call_id: str


@dataclass(frozen=True)
class AskLeg(Effect):
    """Ask the far end whether it is still there (`ports.SipPort.ask`)."""

    call_id: str


@dataclass(frozen=True)
class ClosePort(Effect):
    """The call's media port is no longer needed."""

    call_id: str


@dataclass(frozen=True)
class Room(Effect):
    """Who hears whom; port names are `call_port(...)` and `agent_port(...)`."""

    room_id: str
    hears: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Play(Effect):
    port_id: str
    play_id: str
    source: str
    loop: bool = False
    mix: bool = False


@dataclass(frozen=True)
class StopPlay(Effect):
    port_id: str


@dataclass(frozen=True)
class SendDtmf(Effect):
    port_id: str
    digits: str


@dataclass(frozen=True)
class Record(Effect):
    """Start recording: left channel the agent, right the customer."""

    recording_id: str
    call_id: str
    left_port: str
    right_port: str


@dataclass(frozen=True)
class StopRecord(Effect):
    recording_id: str


@dataclass(frozen=True)
class PauseRecord(Effect):
    """Silence on both channels, or sound again; the time line goes on."""

    recording_id: str
    paused: bool


@dataclass(frozen=True)
class ParkedChanged(Effect):
    """Publish the live document `parked`."""


@dataclass(frozen=True)
class Fact(Effect):
    """A fact for the stream."""

    fact: object
    call_id: str | None = None


@dataclass(frozen=True)
class AgentChanged(Effect):
    """Save the agent and publish its live document."""

    user_id: int


@dataclass(frozen=True)
class AgentGone(Effect):
    """The user is an agent no more: forget what was saved, and publish `last` as the document that stays."""

    user_id: int
    last: AgentView


@dataclass(frozen=True)
class CallChanged(Effect):
    """Save the call."""

    call_id: str


@dataclass(frozen=True)
class CallGone(Effect):
    """Forget the call; its trunk channel and its lead are free again."""

    call_id: str
    trunk_id: int
    lead_id: int | None


@dataclass(frozen=True)
class ClosePhone(Effect):
    """End the agent's browser session and nailed-up leg."""

    user_id: int


@dataclass(frozen=True)
class Observed(Effect):
    """Something that pacing learns from: kinds as in `dialer.pacing.interface`."""

    campaign_id: int
    kind: str
    at: float
    value: float


@dataclass(frozen=True)
class DialPreview(Effect):
    """The agent wants the previewed lead dialed."""

    user_id: int


@dataclass(frozen=True)
class ReturnLead(Effect):
    """A lead that was offered and not dialed goes back; not before `retry_after_s` from now."""

    entry: Mapping[str, object]
    reason: str
    retry_after_s: float = 0.0


def call_port(call_id: str) -> str:
    """Name of a call's media port."""
    return f"call-{call_id}"


def party_port(party_key: str) -> str:
    """Name of the media port of a third number's leg."""
    return f"party-{party_key}"


def agent_port(tenant: int, user_id: int) -> str:
    """Name of an agent's nailed-up media port."""
    return f"agent-{tenant}-{user_id}"
