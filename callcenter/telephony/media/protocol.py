"""What client and worker say to each other over the local socket, as typed frames.

Commands carry `n` > 0 when they want a reply: {"reply": n, "value": …} or {"reply": n, "error": …}. Events go the other
way as {"event": name, "data": fields}. The worker's first frame is its `Hello`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from callcenter.telephony import ports


class Hello(msgspec.Struct):
    """`epoch` differs after every start of the worker; `ports` is how many it has open."""

    worker: int
    epoch: str
    ports: int


class PortState(msgspec.Struct):
    """A port as a client takes it up: its own settings, the matrix of the room it is in, a looping play, and the
    recordings it feeds."""

    port_id: str
    ip: str
    udp_port: int
    codec: str
    dtmf_pt: int | None
    silence_after_s: float
    remote: tuple[str, int] | None
    sending: bool | None
    room_id: str
    hears: dict[str, tuple[str, ...]]
    play: StartPlay | None
    recordings: list[StartRecording]


class Command(msgspec.Struct, tag_field="op", kw_only=True):
    """Base: `n` numbers a command that wants a reply."""

    n: int = 0


class CreatePort(Command, tag="create_port"):
    """`udp_port` 0 lets the worker choose; otherwise the RTP port to open. The reply is its address (ip, port)."""

    port_id: str
    codec: str
    dtmf_pt: int | None
    silence_after_s: float
    udp_port: int = 0


class TakeUp(Command, tag="take_up"):
    """The reply is a PortState, or None if there is no such port."""

    port_id: str


class UpdatePort(Command, tag="update_port"):
    """What is None stays."""

    port_id: str
    remote: tuple[str, int] | None = None
    codec: str | None = None
    dtmf_pt: int | None = None
    sending: bool | None = None


class DeletePort(Command, tag="delete_port"):
    port_id: str


class SetRoom(Command, tag="set_room"):
    room_id: str
    hears: dict[str, tuple[str, ...]]


class StartPlay(Command, tag="play"):
    port_id: str
    play_id: str
    source: str
    loop: bool = False
    mix: bool = False


class StopPlay(Command, tag="stop_play"):
    port_id: str


class SendDtmf(Command, tag="send_dtmf"):
    port_id: str
    digits: str


class StartRecording(Command, tag="start_recording"):
    """A recording that runs already goes on with these ports."""

    recording_id: str
    path: str
    left_port: str
    right_port: str
    paused: bool = False


class PauseRecording(Command, tag="pause_recording"):
    recording_id: str
    paused: bool


class RetargetRecording(Command, tag="retarget_recording"):
    recording_id: str
    left_port: str
    right_port: str


class StopRecording(Command, tag="stop_recording"):
    """`path` lets a worker that was restarted meanwhile tell what is on disk."""

    recording_id: str
    path: str


class Reset(Command, tag="reset"):
    """Delete all but these."""

    ports: list[str]
    rooms: list[str]
    recordings: list[str]


class Ready(Command, tag="ready"):
    """The client has replayed what it wants: events that waited for a client may come."""


AnyCommand = (
    CreatePort
    | TakeUp
    | UpdatePort
    | DeletePort
    | SetRoom
    | StartPlay
    | StopPlay
    | SendDtmf
    | StartRecording
    | PauseRecording
    | RetargetRecording
    | StopRecording
    | Reset
    | Ready
)

EVENTS: Mapping[str, type[ports.MediaEvent]] = {
    kind.__name__: kind
    for kind in (
        ports.PlayEnded,
        ports.DtmfReceived,
        ports.RtpStarted,
        ports.RtpSilent,
        ports.PortStats,
        ports.RecordingEnded,
    )
}


def event_frame(event: ports.MediaEvent) -> dict[str, Any]:
    """`event` as the frame that tells it."""
    return {"event": type(event).__name__, "data": event}


def command_from(raw: Any) -> AnyCommand:
    """Plain data → the command. Raises msgspec.ValidationError naming what does not fit."""
    command: AnyCommand = msgspec.convert(raw, type=AnyCommand)
    return command
