"""One leg's UDP port: what comes in is checked, recorded, relayed and put by for mixing; what goes out is one stream.

`receive` is the hot path: 50 packets a second and leg pass through it. The next packet of the known stream from the
known source is handled there, with the header rewritten in place in the buffer it came in; all else goes to `_unusual`.
Times are samples of the process's clock.
"""

from __future__ import annotations

import secrets
import socket
from typing import Protocol

from callcenter.telephony.media import dtmf, g711, rtp
from callcenter.telephony.media.g711 import FRAME_SAMPLES, SAMPLE_RATE
from callcenter.telephony.media.jitter import JitterBuffer
from callcenter.telephony.media.prompts import Play
from callcenter.telephony.media.reception import EARLY_SAMPLES, PUNCTUAL_SAMPLES, Order, Reception
from callcenter.telephony.media.recording import CAPACITY_SAMPLES, Channel
from callcenter.telephony.media.source_lock import Address, SourceLock

_BUFFER = bytearray(2048)
_VIEW = memoryview(_BUFFER)
_PACKETS = [_VIEW[:n] for n in range(len(_BUFFER) + 1)]
_PAYLOADS = [_VIEW[rtp.HEADER_BYTES : max(n, rtp.HEADER_BYTES)] for n in range(len(_BUFFER) + 1)]
_unpack = rtp.HEADER.unpack_from
_pack = rtp.HEADER.pack_into
_TRANSLATE = {rtp.PT_PCMU: g711.ULAW_TO_ALAW, rtp.PT_PCMA: g711.ALAW_TO_ULAW}
_SILENCE = {pt: bytes([g711.SILENCE]) * FRAME_SAMPLES for pt in _TRANSLATE}
_SILENCE[rtp.PT_PCMA] = g711.SILENT_FRAME.translate(g711.ULAW_TO_ALAW)


class PortOwner(Protocol):
    """What a port tells the worker."""

    def rtp_started(self, port: MediaLeg) -> None:
        """The first packet, or the first after a silence that was told."""

    def key_pressed(self, port: MediaLeg, press: dtmf.Press) -> None:
        """A DTMF digit is complete."""

    def rtcp_received(self, port: MediaLeg, data: bytes) -> None:
        """An RTCP packet came from the remote's host."""

    def relay_took_over(self, port: MediaLeg) -> None:
        """The port is fed by relayed packets again and needs no clock."""


class Feed:
    """One source relayed to one listener: what is added to its sequence numbers and timestamps."""

    __slots__ = ("add_sequence", "add_timestamp", "dest", "event_timestamp", "first")

    def __init__(self, dest: MediaLeg) -> None:
        self.dest = dest
        self.add_sequence = 0
        self.add_timestamp = 0
        self.first = 0
        self.event_timestamp = -1


class MediaLeg:
    """A port and its two sockets. The worker sets `feeds`, `taps` and `mixin` by what the rooms say."""

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
        self.owner = owner
        self.port_id = port_id
        self.rtp_socket, self.rtcp_socket = sockets
        self.local: Address = self.rtp_socket.getsockname()
        self._recvfrom_into = self.rtp_socket.recvfrom_into
        self._sendto = self.rtp_socket.sendto
        self.dtmf_pt = dtmf_pt
        self.silence_after = int(silence_after_s * SAMPLE_RATE)
        self.set_codec(codec)
        # receiving
        self.lock = SourceLock()
        self.source: Address | None = None  # the lock's source while the fast path may be taken
        self.rx = Reception()
        self.heard_at = 0
        self.quiet_since = now
        self.started = False
        self.malformed = 0
        self.refused = 0
        self.keys = dtmf.Receiver()
        self.feeds: tuple[Feed, ...] = ()
        self.taps: tuple[Channel, ...] = ()
        self.mixin: JitterBuffer | None = None
        # sending
        self.remote: Address | None = None
        self.sending: bool | None = None
        self.ssrc = secrets.randbits(32)
        self.sequence = secrets.randbits(15)
        self.timestamp = secrets.randbits(31)
        self.feeder: object = None
        self.sent_at = now
        self.sent = 0
        self.octets = 0
        self.play: Play | None = None
        self.keys_out = dtmf.Sender()

    @property
    def codec(self) -> str:
        """ "pcmu" or "pcma"."""
        return "pcma" if self.pt == rtp.PT_PCMA else "pcmu"

    @property
    def may_send(self) -> bool:
        """Whether there is somewhere to send and nobody forbade it."""
        return self.remote is not None and self.sending is not False

    def set_codec(self, codec: str) -> None:
        """What to send from now on. Both codecs are understood at any time. Raises KeyError on another name."""
        self.pt = rtp.PAYLOAD_TYPES[codec]
        self._plain = rtp.VERSION_WORD | self.pt

    def set_remote(self, remote: Address, now: int) -> None:
        """Where to send, and whose host may send to us."""
        if remote != self.remote:
            self.quiet_since = now
        self.remote = remote
        self.lock.set_remote(remote)
        self.source = self.lock.source if self.source is not None else None

    # ------------------------------------------------------------------------------------------------ receiving

    def receive(self, now: int) -> None:
        """Take one packet from the socket."""
        try:
            size, address = self._recvfrom_into(_BUFFER)
        except OSError:
            return
        if size <= 12:
            self.malformed += 1
            return
        head, sequence, timestamp, ssrc = _unpack(_BUFFER)
        rx = self.rx
        if (
            head != self._plain
            or address != self.source
            or ssrc != rx.ssrc
            or sequence != (rx.highest + 1) & 0xFFFF
            or size > 1500
        ):
            self._unusual(address, bytes(_PACKETS[size]), now)
            return
        rx.highest += 1
        rx.received += 1
        transit = now - timestamp
        change = transit - rx.transit
        rx.transit = transit
        rx.jitter += ((change if change >= 0 else -change) - rx.jitter) * 0.0625
        self.heard_at = now
        payload = _PAYLOADS[size]
        if self.taps or self.mixin is not None:
            place = rx.anchor + timestamp
            if -EARLY_SAMPLES <= now - place <= PUNCTUAL_SAMPLES:
                rx.behind = 0
            else:
                place = rx.place(timestamp, now)
            sound = payload if head == rtp.VERSION_WORD else bytes(payload).translate(g711.ALAW_TO_ULAW)
            for tap in self.taps:
                at = place - tap.base
                if 0 <= at <= CAPACITY_SAMPLES - 1500 and not tap.muted:
                    tap.buffer[at : at + size - 12] = sound
                else:
                    tap.put(place, sound)
            if self.mixin is not None:
                self.mixin.put(timestamp, sound)
        for feed in self.feeds:
            dest = feed.dest
            if dest.feeder is feed and dest.pt == self.pt:
                dest.sequence = sequence_out = (sequence + feed.add_sequence) & 0xFFFF
                dest.timestamp = timestamp_out = (timestamp + feed.add_timestamp) & 0xFFFFFFFF
                dest.sent_at = now
                dest.sent += 1
                dest.octets += size - 12
                _pack(_BUFFER, 0, head, sequence_out, timestamp_out, dest.ssrc)
                try:
                    dest._sendto(_PACKETS[size], dest.remote)  # type: ignore[arg-type]  # set, else no feed
                except OSError:
                    pass
            else:
                dest.relay(feed, Order.NEXT, self.pt, False, sequence, timestamp, bytes(payload), now)

    def _unusual(self, address: Address, data: bytes, now: int) -> None:
        """Everything but the next plain packet of the known stream from the known source."""
        if rtp.looks_like_rtcp(data):
            self._take_rtcp(address, data)
            return
        packet = rtp.parse(data)
        if packet is None or not packet.payload:
            self.malformed += 1
            return
        audio = packet.payload_type in _TRANSLATE
        if not audio and packet.payload_type != self.dtmf_pt:
            self.refused += 1
            return
        self.lock.heard_at_s = self.heard_at / SAMPLE_RATE
        if not self.lock.accepts(address, now / SAMPLE_RATE):
            self.refused += 1
            return
        self.source = address
        order = self.rx.unusual(packet.ssrc, packet.sequence, packet.timestamp, now)
        self.heard_at = now
        if not self.started:
            self.started = True
            self.owner.rtp_started(self)
        if order is Order.DUPLICATE:
            return
        if audio:
            self._take_audio(packet, now)
        else:
            event = dtmf.parse(packet.payload)
            for press in self.keys.receive(packet.timestamp, event, now) if event else ():
                self.owner.key_pressed(self, press)
        for feed in self.feeds:
            dest = feed.dest
            if audio:
                dest.relay(
                    feed, order, packet.payload_type, packet.marker, packet.sequence, packet.timestamp,
                    packet.payload, now,
                )  # fmt: skip
            else:
                dest.relay_event(feed, order, packet, now)

    def _take_audio(self, packet: rtp.RtpPacket, now: int) -> None:
        sound = packet.payload
        if packet.payload_type == rtp.PT_PCMA:
            sound = sound.translate(g711.ALAW_TO_ULAW)
        place = self.rx.place(packet.timestamp, now)
        for tap in self.taps:
            tap.put(place, sound)
        if self.mixin is not None:
            self.mixin.put(packet.timestamp, sound)

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

    # -------------------------------------------------------------------------------------------------- sending

    def relay(
        self, feed: Feed, order: Order, pt: int, marker: bool, sequence: int, timestamp: int, payload: bytes, now: int
    ) -> None:
        """Send a source's packet that is not the plain next one, or the first since the source feeds this port."""
        if self.feeder is not feed:
            if order is Order.OLD:
                return
            self._switch_to(feed, sequence, timestamp, now)
            marker = True
        elif order is Order.NEW_STREAM:
            self._switch_to(feed, sequence, timestamp, now)
            marker = True
        elif order is Order.OLD and (sequence - feed.first) & 0xFFFF >= 0x8000:
            return  # from before the switch: its number is another packet's
        if pt != self.pt:
            payload = payload.translate(_TRANSLATE[pt])
        out = (sequence + feed.add_sequence) & 0xFFFF
        stamp = (timestamp + feed.add_timestamp) & 0xFFFFFFFF
        if order is not Order.OLD:
            self.sequence, self.timestamp, self.sent_at = out, stamp, now
        self._send(self.pt, marker, out, stamp, payload)

    def relay_event(self, feed: Feed, order: Order, packet: rtp.RtpPacket, now: int) -> None:
        """Send a source's telephone event with this port's payload type; without one its number is closed up."""
        if order is Order.OLD and (self.feeder is not feed or (packet.sequence - feed.first) & 0xFFFF >= 0x8000):
            return
        if self.dtmf_pt is None:
            feed.add_sequence -= 1
            return
        if self.feeder is not feed or order is Order.NEW_STREAM:
            self._switch_to(feed, packet.sequence, packet.timestamp, now)
        out = (packet.sequence + feed.add_sequence) & 0xFFFF
        stamp = (packet.timestamp + feed.add_timestamp) & 0xFFFFFFFF
        if order is not Order.OLD:
            self.sequence, self.sent_at = out, now
        self._send(self.dtmf_pt, packet.marker, out, stamp, packet.payload)

    def _switch_to(self, feed: Feed, sequence: int, timestamp: int, now: int) -> None:
        """From this packet on the port's one stream is fed by `feed`: numbers go on, timestamps by the time passed."""
        feed.first = sequence
        feed.add_sequence = self.sequence + 1 - sequence
        feed.add_timestamp = self.timestamp + self._step(now) - timestamp
        self.feeder = feed
        self.owner.relay_took_over(self)

    def _step(self, now: int) -> int:
        return max(FRAME_SAMPLES, now - self.sent_at)

    def send_frame(self, ulaw: bytes, feeder: object, now: int) -> None:
        """Send 20 ms from the clock. Another `feeder` than before sets the marker."""
        marker = self.feeder is not feeder
        self.timestamp = (self.timestamp + (self._step(now) if marker else FRAME_SAMPLES)) & 0xFFFFFFFF
        self.feeder = feeder
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.sent_at = now
        payload = ulaw if self.pt == rtp.PT_PCMU else ulaw.translate(g711.ULAW_TO_ALAW)
        self._send(self.pt, marker, self.sequence, self.timestamp, payload)

    def send_events(self, packets: list[dtmf.Outgoing], feeder: object, now: int) -> None:
        """Send 20 ms of a telephone event, or of the gap after one if `packets` is empty."""
        step = self._step(now) if self.feeder is not feeder else FRAME_SAMPLES
        self.timestamp = (self.timestamp + step) & 0xFFFFFFFF
        self.feeder = feeder
        self.sent_at = now
        if not packets:
            self.sequence = (self.sequence + 1) & 0xFFFF
            self._send(self.pt, False, self.sequence, self.timestamp, _SILENCE[self.pt])
        for packet in packets:
            self.sequence = (self.sequence + 1) & 0xFFFF
            stamp = (self.timestamp - packet.offset) & 0xFFFFFFFF
            self._send(self.dtmf_pt or 0, packet.marker, self.sequence, stamp, packet.payload)

    def _send(self, pt: int, marker: bool, sequence: int, timestamp: int, payload: bytes) -> None:
        if self.remote is None:
            return
        self.sent += 1
        self.octets += len(payload)
        word = rtp.VERSION_WORD | pt | (rtp.MARKER_WORD if marker else 0)
        try:
            self._sendto(rtp.HEADER.pack(word, sequence, timestamp, self.ssrc) + payload, self.remote)
        except OSError:
            pass  # the far end's network; RTCP and silence tell the engine

    def send_rtcp(self, data: bytes) -> None:
        """Send a compound packet to the port above the remote's."""
        if self.remote is not None and self.remote[1] < 65535:
            try:
                self.rtcp_socket.sendto(data, (self.remote[0], self.remote[1] + 1))
            except OSError:
                pass

    def close(self) -> None:
        """Close both sockets."""
        self.rtp_socket.close()
        self.rtcp_socket.close()
