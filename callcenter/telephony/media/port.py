"""One leg's UDP port: what comes in is checked, recorded, relayed and put by for mixing.

Once a port is locked to a source that is also its remote, its socket is connected to it: the kernel then keeps
strangers out, and sending and receiving need no addresses. From then on `plain.receive_each` takes its packets, handles
the plain next one by itself and gives all else to `unusual`. Times are samples of the process's clock.
"""

from __future__ import annotations

import logging
import socket
from typing import Protocol

from callcenter.telephony.media import dtmf, g711, rtp
from callcenter.telephony.media.g711 import FRAME_SAMPLES, SAMPLE_RATE
from callcenter.telephony.media.jitter import JitterBuffer
from callcenter.telephony.media.outgoing import TRANSLATE, Feed, Outgoing, SendingOwner
from callcenter.telephony.media.reception import Order, Reception
from callcenter.telephony.media.recording import Channel
from callcenter.telephony.media.sockets import disconnect
from callcenter.telephony.media.source_lock import SILENCE_S, Address, SourceLock

log = logging.getLogger(__name__)
_BUFFER = bytearray(2048)
_LOCK_SAMPLES = int(SILENCE_S * SAMPLE_RATE)


class PortOwner(SendingOwner, Protocol):
    """What a port tells the worker."""

    def rtp_started(self, port: MediaLeg) -> None:
        """The first packet, or the first after a silence that was told."""

    def key_pressed(self, port: MediaLeg, press: dtmf.Press) -> None:
        """A DTMF digit is complete."""

    def rtcp_received(self, port: MediaLeg, data: bytes) -> None:
        """An RTCP packet came from the remote's host."""

    def receive_by(self, port: MediaLeg, connected: bool) -> None:
        """From now on call `plain.receive_each` (connected) or `receive_from` when the RTP socket is readable."""


class MediaLeg(Outgoing):
    """A port and its two sockets. The worker sets `feed` and `tap` (the first of a chain each) and
    `mixin` by what rooms and recordings say."""

    __slots__ = (
        "connected", "feed", "heard_at", "keys", "local", "lock", "malformed", "mixin", "owner",
        "port_id", "quiet_since", "refused", "rx", "silence_after", "started", "tap",
    )  # fmt: skip

    def __init__(
        self,
        owner: PortOwner,
        port_id: str,
        sockets: tuple[socket.socket, socket.socket],
        codec: str,
        dtmf_pt: int | None,
        silence_after_s: float,
        now: int,
    ) -> None:
        super().__init__(owner, sockets, codec, dtmf_pt, now)
        self.owner = owner
        self.port_id = port_id
        self.local: Address = self.rtp_socket.getsockname()
        self.silence_after = int(silence_after_s * SAMPLE_RATE)
        self.lock = SourceLock()
        self.connected = False
        self.rx = Reception()
        self.heard_at = 0
        self.quiet_since = now
        self.started = False
        self.malformed = 0
        self.refused = 0
        self.keys = dtmf.Receiver()
        self.feed: Feed | None = None
        self.tap: Channel | None = None
        self.mixin: JitterBuffer | None = None

    def set_remote(self, remote: Address, now: int) -> None:
        """Where to send, and whose host may send to us: what the far end's SDP says. See `source_lock` for NAT."""
        if remote == self.lock.remote:
            return
        self.unlock_source()
        self.quiet_since = now
        self.remote = remote
        self.lock.set_remote(remote, now / SAMPLE_RATE)

    def record(self, place: int, sound: bytes | bytearray) -> None:
        """Lay µ-law samples into all recordings of this port."""
        tap = self.tap
        while tap is not None:
            tap.put(place, sound)
            tap = tap.next

    # --------------------------------------------------------------------------------------- everything else

    def receive_from(self, now: int) -> bool:
        """Take one packet from the socket while it is not connected. False if there was none."""
        try:
            size, address = self.rtp_socket.recvfrom_into(_BUFFER)
        except BlockingIOError:
            return False
        except OSError:
            return True
        self._take(address, bytes(_BUFFER[:size]), now)
        return True

    def _take(self, address: Address, data: bytes, now: int) -> None:
        """A packet from anybody: only what is valid for this port may lock to its source."""
        if rtp.looks_like_rtcp(data):
            self._take_rtcp(address, data)
            return
        packet = self._valid(data)
        if packet is None:
            return
        self.lock.heard_at_s = self.heard_at / SAMPLE_RATE
        if not self.lock.accepts(address, now / SAMPLE_RATE):
            self.refused += 1
            return
        if self.lock.destination != self.remote:
            log.info("port %s: sends to %s now, where its far end sends from", self.port_id, self.lock.destination)
            self.remote = self.lock.destination
        self._take_packet(packet, now)
        if address == self.remote and not self.connected and self.lock.sure(now / SAMPLE_RATE):
            self._connect(now)

    def unusual(self, data: bytes, now: int) -> None:
        """A packet from the connected source that is not the plain next one."""
        if rtp.looks_like_rtcp(data):
            self.owner.rtcp_received(self, data)
        elif (packet := self._valid(data)) is not None:
            self._take_packet(packet, now)

    def _valid(self, data: bytes) -> rtp.RtpPacket | None:
        packet = rtp.parse(data)
        if packet is None or not packet.payload:
            self.malformed += 1
            return None
        if packet.payload_type not in TRANSLATE and packet.payload_type != self.dtmf_pt:
            self.refused += 1
            return None
        return packet

    def _take_packet(self, packet: rtp.RtpPacket, now: int) -> None:
        feed = self.feed
        while feed is not None:
            if feed.limit:
                feed.dest.disarm()
            feed = feed.next
        audio = packet.payload_type in TRANSLATE
        plain = audio and len(packet.payload) == FRAME_SAMPLES
        order = self.rx.unusual(
            packet.ssrc, packet.sequence, packet.timestamp, now,
            audio=audio, plain_word=rtp.VERSION_WORD | packet.payload_type if plain else -1,
        )  # fmt: skip
        self.heard_at = now
        if not self.started:
            self.started = True
            self.owner.rtp_started(self)
        if order is Order.DUPLICATE:
            return
        feed = self.feed
        if audio:
            self._take_audio(packet)
            while feed is not None:
                feed.dest.relay(
                    feed, order, packet.payload_type, packet.marker, packet.sequence, packet.timestamp, packet.payload,
                    now,
                )  # fmt: skip
                feed = feed.next
            return
        event = dtmf.parse(packet.payload)
        for press in self.keys.receive(packet.timestamp, event, now) if event else ():
            self.owner.key_pressed(self, press)
        while feed is not None:
            feed.dest.relay_event(feed, order, packet, now)
            feed = feed.next

    def _take_audio(self, packet: rtp.RtpPacket) -> None:
        sound = packet.payload
        if packet.payload_type == rtp.PT_PCMA:
            sound = sound.translate(g711.ALAW_TO_ULAW)
        self.record(self.rx.anchor + packet.timestamp, sound)
        if self.mixin is not None:
            self.mixin.put(packet.timestamp, sound)

    # --------------------------------------------------------------------------------- connecting to the source

    def _connect(self, now: int) -> None:
        """Leave it to the kernel to take packets of the source only."""
        assert self.remote is not None
        try:
            self.rtp_socket.connect(self.remote)
        except OSError:
            return  # no route just now: goes on unconnected
        self.connected = True
        while self.receive_from(now):
            pass  # what strangers had sent before, each judged by its address
        self.send_by(self.rtp_socket.send)
        self.owner.receive_by(self, connected=True)

    def unlock_source(self) -> None:
        """Hear anybody again, judged by the lock."""
        if self.connected:
            disconnect(self.rtp_socket)
            self.connected = False
            self.send_by(self._send_to_remote)
            self.owner.receive_by(self, connected=False)

    def look_for_source(self, now: int) -> None:
        """Ask now and then: a source silent for half a second may be followed by another."""
        if self.connected and now - self.heard_at >= _LOCK_SAMPLES:
            self.unlock_source()

    def expect_restart(self) -> None:
        """Its silence was told: tell when the far end sends again."""
        self.started = False
        self.unlock_source()

    # ---------------------------------------------------------------------------------------------------- RTCP

    def receive_rtcp(self, now: int) -> None:
        """Take one packet from the RTCP socket."""
        try:
            data, address = self.rtcp_socket.recvfrom(2048)
        except OSError:
            return
        self._take_rtcp(address, data)

    def _take_rtcp(self, address: Address, data: bytes) -> None:
        if self.remote is not None and address[0] == self.remote[0]:
            self.owner.rtcp_received(self, data)

    def close(self) -> None:
        """Close both sockets."""
        self.rtp_socket.close()
        self.rtcp_socket.close()
