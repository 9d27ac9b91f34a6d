"""What the engine asks of SIP, media and the browser edge, and what they tell it.

Three protocols and their events. The engine runs in one asyncio loop; every method is called in that loop, none blocks,
and every event is delivered in that loop by the callback given to the implementation. An unknown id is a misuse and
raises KeyError; what the far end does wrong comes as an event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from callcenter.telephony.phones import PhoneSpec, Registration

# ---------------------------------------------------------------------------------------------------------- SIP


class Cause(StrEnum):
    """Why a leg ended or failed, told apart as a dialer needs it. The SIP status that led to it is kept beside it."""

    NORMAL = "normal"  # BYE after an answer
    BUSY = "busy"  # 486, 600
    NO_ANSWER = "no_answer"  # our ring time-out, 480, 408 from the far end after ringing
    DECLINED = "declined"  # 603, 403 after ringing
    INVALID = "invalid"  # 404, 410, 484, 604, 485, 416
    CONGESTION = "congestion"  # 503, 500, 502, 504, 486 never: the trunk, not the callee
    UNREACHABLE = "unreachable"  # no response at all (timer B), network error
    REJECTED = "rejected"  # 401/407 that digest did not settle, 403 before ringing, 488: trunk set up wrongly
    CANCELLED = "cancelled"  # we gave up before the answer (not the ring time-out)
    MEDIA_LOST = "media_lost"  # no usable SDP in the answer
    LOST = "lost"  # the far end vanished: neither audio nor an answer to a question inside its dialog
    ENGINE_LOST = "engine_lost"  # the engine died with the leg open and could not take it up again


class Transport(StrEnum):
    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class InboundAuth(StrEnum):
    """How a trunk's calls are known to be its own."""

    IP = "ip"  # by the addresses of its host, and by `inbound_sources`
    DIGEST = "digest"  # by user name and password, from anywhere or from `inbound_sources`


@dataclass(frozen=True)
class TrunkSpec:
    """A SIP trunk as the adapter needs it. `register` sends REGISTER and keeps it alive; without user name the trunk
    is IP-authenticated. `expires_s` is the registration's wish. `outbound_proxy` is (host, port) or None. `inbound…`:
    whether and how calls are let in; `inbound_channels` and `inbound_cps` 0: no limit. `numbers`: its enterprise's own
    (E.164), by which trunks at one address are told apart."""

    trunk_id: int
    host: str
    port: int = 5060
    transport: Transport = Transport.UDP
    username: str = ""
    password: str = field(default="", repr=False)
    from_domain: str = ""
    register: bool = False
    expires_s: int = 300
    options_every_s: float = 30.0
    outbound_proxy: tuple[str, int] | None = None
    inbound: bool = True
    inbound_auth: InboundAuth = InboundAuth.IP
    inbound_username: str = ""
    inbound_password: str = field(default="", repr=False)
    inbound_sources: tuple[str, ...] = ()  # addresses and networks
    inbound_channels: int = 0
    inbound_cps: float = 0.0
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True)
class MediaAddress:
    """Where RTP goes: `ip`, UDP `port`."""

    ip: str
    port: int


@dataclass(frozen=True)
class Sdp:
    """What of a session description matters here: one audio stream of G.711.

    `codec` is "pcmu" or "pcma" (payload types 0 and 8), `dtmf_pt` the RFC 4733 payload type or None,
    `direction` sendrecv, sendonly, recvonly or inactive as seen by its author.
    """

    address: MediaAddress
    codec: str = "pcmu"
    dtmf_pt: int | None = 101
    direction: str = "sendrecv"


@dataclass(frozen=True)
class Dialog:
    """All that is needed to end a dialog, or cancel it early, by another process after this one died. Plain strings so
    that it lies in Redis. `state` is "early" (INVITE sent), "answering" (our 200 is sent, or about to be) or
    "confirmed" (answered). `headers` is the adapter's own."""

    leg_id: str
    trunk_id: int
    call_id: str
    state: str
    headers: Mapping[str, str]


class SipEvent:
    """Base of what a leg tells. Every event carries `leg_id` and `at`, seconds since the epoch when it came in."""

    leg_id: str
    at: float


@dataclass(frozen=True)
class LegTrying(SipEvent):
    """The INVITE is on the wire. `dialog` lets it be cancelled by a successor."""

    leg_id: str
    at: float
    dialog: Dialog


@dataclass(frozen=True)
class LegRinging(SipEvent):
    """180 or 183 without media."""

    leg_id: str
    at: float
    status: int = 180


@dataclass(frozen=True)
class LegEarlyMedia(SipEvent):
    """18x with a session description: the far end plays something before the answer."""

    leg_id: str
    at: float
    sdp: Sdp
    status: int = 183


@dataclass(frozen=True)
class LegAnswered(SipEvent):
    """200 OK, already acknowledged. `sdp` is the far end's. `dialog` lets it be ended by a successor."""

    leg_id: str
    at: float
    sdp: Sdp
    dialog: Dialog


@dataclass(frozen=True)
class LegUpdated(SipEvent):
    """A re-INVITE or UPDATE of the far end, already answered: it holds (`sdp.direction`), resumes, moves its media
    or changes the codec."""

    leg_id: str
    at: float
    sdp: Sdp


@dataclass(frozen=True)
class LegAsked(SipEvent):
    """What became of `SipPort.ask`. `alive` False: no answer in time, or the far end knows no such dialog. The leg is
    as it was."""

    leg_id: str
    at: float
    alive: bool


@dataclass(frozen=True)
class LegEnded(SipEvent):
    """The leg is over, for whatever reason; the last event of a leg. `status` is the SIP status or 0, `by_us` whether
    we hung up, cancelled or timed out."""

    leg_id: str
    at: float
    cause: Cause
    status: int = 0
    reason: str = ""
    by_us: bool = False


@dataclass(frozen=True)
class InboundCall(SipEvent):
    """An INVITE from a trunk. Answer it with `SipPort.accept` or `reject`. Numbers as the trunk wrote them."""

    leg_id: str
    at: float
    trunk_id: int
    from_number: str
    to_number: str
    sdp: Sdp
    display_name: str = ""


@dataclass(frozen=True)
class TrunkHealth(SipEvent):
    """A trunk came up or went down (OPTIONS, registration). `leg_id` is empty. `detail` is for a person."""

    leg_id: str
    at: float
    trunk_id: int
    up: bool
    registered: bool | None
    detail: str
    round_trip_ms: float | None = None


class SipPort(Protocol):
    """The engine's way to trunks. Implementation: `callcenter.telephony.sip.adapter.SippyPort`."""

    async def start(self, on_event: Callable[[SipEvent], None]) -> None:
        """Open the sockets and begin. Raises OSError if the port is taken."""

    async def stop(self) -> None:
        """End all legs (CANCEL, BYE), unregister, close."""

    def set_trunks(self, trunks: Mapping[int, TrunkSpec]) -> None:
        """The trunks from now on. Legs on a trunk that is gone go on."""

    def originate(
        self,
        leg_id: str,
        trunk_id: int,
        to_number: str,
        caller_id: str,
        local: Sdp,
        ring_timeout_s: float,
        caller_name: str = "",
    ) -> None:
        """Send an INVITE. Exactly one LegEnded follows sooner or later, whatever happens. On ring time-out the adapter
        cancels and ends the leg with NO_ANSWER; a 200 that crosses the CANCEL is acknowledged and hung up."""

    @property
    def address(self) -> tuple[str, int]:
        """Where phones register: host and port, once started."""

    def set_phone(self, phone_id: int, spec: PhoneSpec | None) -> None:
        """A phone that may register from now on; None: that may no more. Where it is comes as `PhoneRegistered`, its
        own calls as `PhoneCall`."""

    def restore_phone(self, phone_id: int, registration: Registration) -> None:
        """Where a phone was registered when a former engine ended."""

    def call_phone(
        self, leg_id: str, phone_id: int, caller_id: str, caller_name: str, local: Sdp, ring_timeout_s: float
    ) -> None:
        """Send an INVITE to a registered phone, with the wish that it answers by itself. As `originate`. KeyError if it
        is not registered."""

    def hangup(self, leg_id: str) -> None:
        """CANCEL or BYE, as the leg stands. Harmless on a leg that has ended."""

    def send_hold(self, leg_id: str, local: Sdp) -> None:
        """Re-INVITE with `local` (its `direction` tells hold or resume)."""

    def ask(self, leg_id: str) -> None:
        """Ask the far end of an answered leg whether it is still there (OPTIONS in its dialog, RFC 3261, 11). LegAsked
        follows within seconds. Harmless on a leg that is not up or has ended: nothing follows then."""

    def accept(self, leg_id: str, local: Sdp, ring_only: bool = False) -> None:
        """Answer an inbound leg with 200, or with 180 if `ring_only`."""

    def prepare(self, leg_id: str, local: Sdp) -> Dialog | None:
        """The dialog that `accept` with `local` begins, "answering" until its ACK: stored before, it lets a successor
        go on with a call that is lost otherwise between the two. None if there is nothing to be stored yet."""

    def reject(self, leg_id: str, status: int, reason: str) -> None:
        """Refuse an inbound leg."""

    def adopt(self, dialog: Dialog) -> None:
        """Take up a leg of an engine that died: a confirmed one goes on (its BYE is answered and told as LegEnded,
        `hangup` sends BYE), an answering one is answered until its ACK comes (LegAnswered), an early one is cancelled,
        and a late 200 for it is acknowledged and hung up. Each ends with LegEnded."""


# -------------------------------------------------------------------------------------------------------- media


class MediaEvent:
    """Base of what the media process tells. `at` is seconds since the epoch."""

    at: float


@dataclass(frozen=True)
class MediaUp(MediaEvent):
    """The control connection to worker `worker` stands (again). `epoch` differs after every restart of the worker: if
    it is new, the client has already replayed all ports, rooms and recordings to it before this event."""

    at: float
    worker: int
    epoch: str
    restarted: bool


@dataclass(frozen=True)
class MediaDown(MediaEvent):
    """The control connection to a worker broke. Audio goes on if only the connection died."""

    at: float
    worker: int


@dataclass(frozen=True)
class PlayEnded(MediaEvent):
    """A prompt reached its end (`complete`) or was stopped."""

    at: float
    port_id: str
    play_id: str
    complete: bool


@dataclass(frozen=True)
class DtmfReceived(MediaEvent):
    """One key press (RFC 4733), told once however often its packets came. `duration_ms` as sent."""

    at: float
    port_id: str
    digit: str
    duration_ms: int


@dataclass(frozen=True)
class RtpStarted(MediaEvent):
    """The first packet from the far end, or the first sign of life (RTCP counts) after a silence that was told."""

    at: float
    port_id: str


@dataclass(frozen=True)
class RtpSilent(MediaEvent):
    """Neither RTP nor RTCP from the far end for `silent_s` seconds (told once, at the port's `silence_after_s`)."""

    at: float
    port_id: str
    silent_s: float


@dataclass(frozen=True)
class PortStats(MediaEvent):
    """Every 5 s and at deletion. `lost` and `received` in packets since creation, `jitter_ms` by RFC 3550,
    `remote_loss` (fraction) and `round_trip_ms` from the far end's RTCP or None, `mos` by the E-model (G.107) 1–4.5."""

    at: float
    port_id: str
    received: int
    lost: int
    jitter_ms: float
    late: int
    remote_loss: float | None
    round_trip_ms: float | None
    mos: float


@dataclass(frozen=True)
class RecordingEnded(MediaEvent):
    """The file is complete and closed. `seconds` of audio, `size_bytes` on disk."""

    at: float
    recording_id: str
    path: str
    seconds: float
    size_bytes: int


class MediaPort(Protocol):
    """The engine's way to the media workers. Implementation: `callcenter.telephony.media.client.MediaClient`.

    The client keeps the wanted state of every worker, so that a worker that was killed comes back with the same UDP
    ports, rooms and recordings within a second and the far ends notice a gap only.
    """

    async def start(self, on_event: Callable[[MediaEvent], None]) -> None:
        """Connect to all workers; retries for ever in the background. Returns when all answered once or after 10 s."""

    async def stop(self) -> None:
        """Close the control connections. Ports that were not deleted go on until the worker ends."""

    async def reset(self) -> None:
        """Delete every port, room and recording of all workers that this client did not create or take up: what a
        dead engine left. Recordings are closed properly first."""

    async def create_port(
        self,
        port_id: str,
        *,
        near: str = "",
        codec: str = "pcmu",
        dtmf_pt: int | None = 101,
        silence_after_s: float = 20.0,
    ) -> MediaAddress:
        """Open a UDP pair for one leg and return its address. `near` is a port id whose worker to use (legs that will
        meet must be on one worker); otherwise the least loaded worker. Raises RuntimeError with no free port."""

    async def take_up(self, port_id: str) -> MediaAddress:
        """The address of a port that a dead engine created, kept from now on as our own. KeyError if it is gone."""

    def update_port(
        self,
        port_id: str,
        *,
        remote: MediaAddress | None = None,
        codec: str | None = None,
        dtmf_pt: int | None = None,
        sending: bool | None = None,
    ) -> None:
        """Set where to send and with what. Receiving locks to the first source that sends valid RTP for this port from
        the `remote` address's host (or any host before a remote is known), and follows a new source only after 0.5 s
        of silence from the old one or a new `remote`."""

    def delete_port(self, port_id: str) -> None:
        """Close it; it leaves its room; its plays end. Harmless if unknown."""

    def set_room(self, room_id: str, hears: Mapping[str, tuple[str, ...]]) -> None:
        """Who hears whom: port id → ids of the ports that it hears. Replaces the room's former matrix; an empty one
        ends the room. A port is in one room at most: setting it here takes it out of another. With exactly one source
        of the same codec a frame is relayed untouched, otherwise mixed."""

    def play(self, port_id: str, play_id: str, source: str, *, loop: bool = False, mix: bool = False) -> None:
        """Play to the far end of `port_id`. `source` is the path of a WAV (8 kHz mono, PCM16 or G.711), or one of
        "tone:ringback", "tone:busy", "tone:beep", "silence". Replaces a running play; what the room says is muted
        meanwhile unless `mix`. PlayEnded follows."""

    def stop_play(self, port_id: str) -> None:
        """Stop what is playing; PlayEnded with complete=False follows if something was."""

    def send_dtmf(self, port_id: str, digits: str) -> None:
        """Send RFC 4733 events (100 ms on, 60 ms apart) to the far end; digits 0-9 * # A-D."""

    def start_recording(self, recording_id: str, path: str, left_port: str, right_port: str) -> None:
        """Record what `left_port` and `right_port` send, one channel each, aligned to the wall clock, into a stereo
        µ-law WAV that grows on disk (written at least every 0.5 s). If `path` exists, the recording goes on at its end
        with silence for the gap since its last write. A channel whose port is deleted records silence."""

    def pause_recording(self, recording_id: str, paused: bool) -> None:
        """While paused, silence is recorded in both channels (the time line stays)."""

    def retarget_recording(self, recording_id: str, left_port: str, right_port: str) -> None:
        """From now on other ports feed the channels (transfer, agent re-attached)."""

    def stop_recording(self, recording_id: str) -> None:
        """Close the file. RecordingEnded follows."""


# --------------------------------------------------------------------------------------------------------- edge


class EdgeState(StrEnum):
    CONNECTING = "connecting"
    CONNECTED = "connected"
    INTERRUPTED = "interrupted"  # no consent or packets for some seconds; may come back
    CLOSED = "closed"


@dataclass(frozen=True)
class EdgeEvent:
    """A browser session changed. `state` as above; `detail` for a person; `stats` loss, jitter_ms, round_trip_ms when
    they are known."""

    at: float
    session_id: str
    state: EdgeState
    detail: str = ""
    stats: Mapping[str, float] = field(default_factory=dict)


class EdgePort(Protocol):
    """The engine's way to browser audio. Implementations: `edge.client.AiortcEdge`, `edge.rtpengine.RtpengineEdge`."""

    async def start(self, on_event: Callable[[EdgeEvent], None]) -> None:
        """Connect to the edge; retries for ever in the background."""

    async def stop(self) -> None:
        """Close all sessions of this client."""

    async def open(self, session_id: str, offer_sdp: str, rtp_target: MediaAddress) -> tuple[str, MediaAddress]:
        """Answer a browser's offer. Browser audio goes as plain PCMU RTP to `rtp_target`; the returned address is where
        the media process must send for the browser. Returns (answer SDP, that address). A session id that is open is
        renegotiated or replaced (reload, ICE restart). Raises InvalidInput on an offer without PCMU audio, Unavailable
        if the edge does not answer within 5 s."""

    def close(self, session_id: str) -> None:
        """End a session. Harmless if unknown."""

    async def take_up(self, session_id: str) -> MediaAddress:
        """Keep a session that a dead engine opened; its events are told here from now on. Raises KeyError if it is
        gone, Unavailable if the edge does not answer."""

    async def detach(self) -> None:
        """Leave without closing the sessions: browsers keep their audio until another client takes them up."""
