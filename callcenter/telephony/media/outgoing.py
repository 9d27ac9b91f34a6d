"""The sending half of a port: whatever feeds it, the far end gets one stream with one SSRC and unbroken numbers.

Fed by a relayed source (packets go out as they come in, numbers shifted) or by the 20 ms clock. At every change of the
feeder the marker bit is set and the timestamp moves on by the time that passed. Times are samples of the process's
clock.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from typing import Protocol

from callcenter.telephony.media import dtmf, g711, rtp
from callcenter.telephony.media.g711 import FRAME_SAMPLES
from callcenter.telephony.media.prompts import Play
from callcenter.telephony.media.reception import NEXT, Order, Reception, key
from callcenter.telephony.media.source_lock import Address

TRANSLATE = {rtp.PT_PCMU: g711.ULAW_TO_ALAW, rtp.PT_PCMA: g711.ALAW_TO_ULAW}
"""By the payload type that came in: the table to the other law."""
_SILENCE = {
    rtp.PT_PCMU: g711.SILENT_FRAME,
    rtp.PT_PCMA: g711.SILENT_FRAME.translate(g711.ULAW_TO_ALAW),
}


class Feed:
    """One source relayed to one listener, as a link in the chain of the source's listeners.

    Slowly, by `Outgoing.relay`: `add_sequence` and `add_timestamp` are added to the numbers. Fast, by the source: while
    a header's first eight bytes as a number are below `limit` (0: not now), `add` makes them the outgoing ones and
    `send` sends them. How many went out so the listener sees from how many the source received since `counted`.
    """

    __slots__ = (
        "add", "add_sequence", "add_timestamp", "counted", "dest", "first", "limit", "next", "send", "source",
        "ssrc",
    )  # fmt: skip

    def __init__(self, source: Source, dest: Outgoing) -> None:
        self.source = source
        self.dest = dest
        self.next: Feed | None = None
        self.add_sequence = 0
        self.add_timestamp = 0
        self.first = 0
        self.add = 0
        self.limit = 0
        self.ssrc = 0
        self.send: Callable[[memoryview], object] = dest.out
        self.counted = 0

    def arm(self, word: int, sequence: int, timestamp: int, out: int, stamp: int) -> None:
        """From the next plain packet on the source relays by itself, until one of the numbers comes to its end."""
        before = key(word, sequence, timestamp)
        self.add = key(word, out, stamp) - before
        self.limit = before + NEXT * min(0xFFFF - out, (0xFFFFFFFF - stamp) // FRAME_SAMPLES) + 1
        self.ssrc = self.dest.ssrc
        self.send = self.dest.out
        self.counted = self.source.rx.received


class Source(Protocol):
    """What a feed reads of the port that it comes from."""

    rx: Reception
    heard_at: int


class SendingOwner(Protocol):
    """What the sending half tells."""

    def relay_took_over(self, port: Outgoing) -> None:
        """The port is fed by relayed packets again and needs no clock."""


class Outgoing:
    """`remote` and `sending` say whether and where; `out` sends one datagram there. `sent` counts packets, `octets`
    payload bytes."""

    __slots__ = (
        "_octets", "_packet_octets", "_sent_counted", "codec", "dtmf_pt", "feeder", "keys_out", "out", "plain", "play",
        "pt", "remote", "rtcp_socket", "rtp_socket", "sending", "sent", "sent_at", "sequence", "ssrc", "timestamp",
        "watcher",
    )  # fmt: skip

    def __init__(
        self,
        watcher: SendingOwner,
        sockets: tuple[socket.socket, socket.socket],
        codec: str,
        dtmf_pt: int | None,
        now: int,
    ) -> None:
        self.watcher = watcher
        self.feeder: object = None
        self.rtp_socket, self.rtcp_socket = sockets
        self.dtmf_pt = dtmf_pt
        self.set_codec(codec)
        self.remote: Address | None = None
        self.sending: bool | None = None
        self.out: Callable[[memoryview | bytes], object] = self._send_to_remote
        self.ssrc = secrets.randbits(32)
        self.sequence = secrets.randbits(15)
        self.timestamp = secrets.randbits(31)
        self.sent_at = now
        self.sent = 0
        self._octets = 0
        self._packet_octets = FRAME_SAMPLES
        self._sent_counted = 0
        self.play: Play | None = None
        self.keys_out = dtmf.Sender()

    @property
    def may_send(self) -> bool:
        """Whether there is somewhere to send and nobody forbade it."""
        return self.remote is not None and self.sending is not False

    def send_by(self, out: Callable[[memoryview | bytes], object]) -> None:
        """Send datagrams by `out` from now on."""
        self.disarm()
        self.out = out

    @property
    def octets(self) -> int:
        """Payload bytes sent."""
        self.settle()
        self._octets += (self.sent - self._sent_counted) * self._packet_octets
        self._sent_counted = self.sent
        return self._octets

    def set_codec(self, codec: str) -> None:
        """What to send from now on, "pcmu" or "pcma". Raises KeyError on another name."""
        self.disarm()
        self.pt = rtp.PAYLOAD_TYPES[codec]
        self.codec = codec
        self.plain = rtp.VERSION_WORD | self.pt

    def settle(self, ahead: int = 0) -> None:
        """Take over what a feed sent by itself since it was asked last. The source has counted `ahead` packets that
        were not sent so."""
        feed = self.feeder
        if not isinstance(feed, Feed) or not feed.limit:
            return
        received = feed.source.rx.received - ahead
        if received > feed.counted:
            out = feed.source.rx.expected - (1 + ahead) * NEXT + feed.add
            self.sequence = (out >> 32) & 0xFFFF
            self.timestamp = out & 0xFFFFFFFF
            self.sent_at = feed.source.heard_at
            self.sent += received - feed.counted
            feed.counted = received

    def disarm(self, ahead: int = 0) -> None:
        """What a feed sends by itself is not right any more: the next packet comes to `relay`."""
        self.settle(ahead)
        if isinstance(self.feeder, Feed):
            self.feeder.limit = 0

    def _send_to_remote(self, data: memoryview | bytes) -> None:
        if self.remote is not None:
            self.rtp_socket.sendto(data, self.remote)

    def relay(
        self, feed: Feed, order: Order, pt: int, marker: bool, sequence: int, timestamp: int, payload: bytes, now: int
    ) -> None:
        """Send a source's packet that is not the plain next one, or the first since the source feeds this port.

        Before the source counts it, it has called `disarm`.
        """
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
            payload = payload.translate(TRANSLATE[pt])
        out = (sequence + feed.add_sequence) & 0xFFFF
        stamp = (timestamp + feed.add_timestamp) & 0xFFFFFFFF
        if order is not Order.OLD:
            self.sequence, self.timestamp, self.sent_at = out, stamp, now
            if pt == self.pt:
                feed.arm(self.plain, sequence, timestamp, out, stamp)
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
        self.disarm()
        feed.first = sequence
        feed.add_sequence = self.sequence + 1 - sequence
        feed.add_timestamp = self.timestamp + self._step(now) - timestamp
        self.feeder = feed
        self.watcher.relay_took_over(self)

    def _step(self, now: int) -> int:
        return max(FRAME_SAMPLES, now - self.sent_at)

    def send_frame(self, ulaw: bytes, feeder: object, now: int) -> None:
        """Send 20 ms from the clock. Another `feeder` than before sets the marker."""
        marker = self.feeder is not feeder
        if marker:
            self.disarm()
        self.timestamp = (self.timestamp + (self._step(now) if marker else FRAME_SAMPLES)) & 0xFFFFFFFF
        self.feeder = feeder
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.sent_at = now
        payload = ulaw if self.pt == rtp.PT_PCMU else ulaw.translate(g711.ULAW_TO_ALAW)
        self._send(self.pt, marker, self.sequence, self.timestamp, payload)

    def send_events(self, packets: list[dtmf.Outgoing], feeder: object, now: int) -> None:
        """Send 20 ms of a telephone event, or of the gap after one if `packets` is empty."""
        self.disarm()
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
        self._octets += (self.sent - self._sent_counted) * self._packet_octets + len(payload)
        self.sent += 1
        self._sent_counted = self.sent
        if pt == self.pt:
            self._packet_octets = len(payload)
        word = rtp.VERSION_WORD | pt | (rtp.MARKER_WORD if marker else 0)
        try:
            self.out(rtp.HEADER.pack(word, sequence, timestamp, self.ssrc) + payload)
        except OSError:
            pass  # the far end's network; RTCP and silence tell the engine

    def send_rtcp(self, data: bytes) -> None:
        """Send a compound packet to the port above the remote's."""
        if self.remote is not None and self.remote[1] < 65535:
            try:
                self.rtcp_socket.sendto(data, (self.remote[0], self.remote[1] + 1))
            except OSError:
                pass
