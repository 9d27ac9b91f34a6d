"""One direction of a session's RTP: plain headers, unbroken numbering, reception figures and a limit on bursts.

Pure: packets and `now_s` (a monotonic clock, seconds) in, packets out. Why each packet is renumbered: the sender behind
the edge may restart (page reloaded, media worker killed) and begin with a new SSRC, sequence and timestamp, while the
receiver, and the SRTP context of the browser's side, must see one stream. Within one source the differences stay
untouched, so that losses and reordering remain visible to the receiver.
Source: RFC 3550 sections 5.1, 6.4.1, A.1, A.3, A.8.
"""

from __future__ import annotations

import struct

CLOCK_HZ = 8000
FRAME_TICKS = 160  # 20 ms
MAX_JUMP = 3000  # packets; RFC 3550 A.1 MAX_DROPOUT: beyond, the source has restarted
BURST_PACKETS = 20  # let through at once; a process that was stopped must not replay seconds of old audio
RATE_PER_S = 120.0  # sustained: more than twice the 50 packets a second of 20 ms frames
_HEADER = struct.Struct(">BBHII")


def without_extras(packet: bytes) -> bytes | None:
    """The payload of an RTP packet that has CSRCs, a header extension or padding; None if it is cut short."""
    first = packet[0]
    start = 12 + 4 * (first & 0x0F)
    if first & 0x10:
        if len(packet) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
    end = len(packet)
    if first & 0x20:
        if packet[-1] == 0:
            return None
        end -= packet[-1]
    return packet[start:end] if start < end else None


class Stream:
    """PCMU packets in with whatever header, out with a plain 12-byte header under `ssrc`.

    Figures, all about what came in since the source last changed unless said otherwise: `received` and `expected`
    packets, `jitter_ticks` (1/8000 s). About what went out: `sent` packets, `sent_octets`. `dropped` counts packets
    that were no PCMU, malformed or above the rate, since the beginning.
    """

    __slots__ = (
        "_expected_before", "_highest", "_in_ssrc", "_last_in", "_last_out_at_s", "_last_out_seq", "_last_out_ts",
        "_received_before", "_seq_offset", "_tokens", "_tokens_at_s", "_transit", "_ts_offset", "base", "dropped",
        "jitter_ticks", "received", "sent", "sent_octets", "ssrc",
    )  # fmt: skip

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        self.base = 0
        self.received = 0
        self.jitter_ticks = 0.0
        self.sent = 0
        self.sent_octets = 0
        self.dropped = 0
        self._in_ssrc: int | None = None
        self._last_in = 0
        self._highest = 0
        self._transit: float | None = None
        self._expected_before = 0
        self._received_before = 0
        self._seq_offset = 0
        self._ts_offset = 0
        self._last_out_seq = 0
        self._last_out_ts = 0
        self._last_out_at_s: float | None = None
        self._tokens = float(BURST_PACKETS)
        self._tokens_at_s = 0.0

    @property
    def source(self) -> int | None:
        """The SSRC of what comes in, None before the first packet."""
        return self._in_ssrc

    @property
    def expected(self) -> int:
        """Packets that the source has sent, by its sequence numbers."""
        return self._highest - self.base + 1 if self._in_ssrc is not None else 0

    @property
    def highest(self) -> int:
        """Highest sequence number that came in, extended by its cycles (RFC 3550)."""
        return self._highest

    @property
    def lost(self) -> int:
        """Packets missing, never below 0 (duplicates could make it negative)."""
        return max(0, self.expected - self.received)

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter (RFC 3550) in milliseconds."""
        return self.jitter_ticks * 1000 / CLOCK_HZ

    def fraction_lost(self) -> float:
        """The part of the packets missing since the last call, 0–1."""
        expected, received = self.expected - self._expected_before, self.received - self._received_before
        self._expected_before, self._received_before = self.expected, self.received
        return max(0.0, (expected - received) / expected) if expected > 0 else 0.0

    def timestamp_at(self, now_s: float) -> int:
        """The RTP timestamp that what goes out has at `now_s`, for sender reports."""
        if self._last_out_at_s is None:
            return 0
        return (self._last_out_ts + round((now_s - self._last_out_at_s) * CLOCK_HZ)) & 0xFFFFFFFF

    def forward(self, packet: bytes, now_s: float) -> bytes | None:
        """The packet to send on, or None if it is not to be sent (no PCMU, malformed, above the rate)."""
        if len(packet) < 13:
            self.dropped += 1
            return None
        first, second, seq, ts, ssrc = _HEADER.unpack_from(packet)
        payload = packet[12:] if first == 0x80 else without_extras(packet) if first & 0xC0 == 0x80 else None
        if payload is None or second & 0x7F != 0:
            self.dropped += 1
            return None
        step = (seq - self._last_in + 0x8000 & 0xFFFF) - 0x8000
        if ssrc != self._in_ssrc or not -MAX_JUMP < step < MAX_JUMP:
            self._begin(ssrc, seq, ts, now_s)
            step = 0
        self._count(seq, step, ts, now_s)
        tokens = min(BURST_PACKETS, self._tokens + (now_s - self._tokens_at_s) * RATE_PER_S)
        self._tokens_at_s = now_s
        if tokens < 1.0:
            self._tokens = tokens
            self.dropped += 1
            return None
        self._tokens = tokens - 1.0
        out_seq, out_ts = seq + self._seq_offset & 0xFFFF, ts + self._ts_offset & 0xFFFFFFFF
        if step >= 0:
            self._last_out_seq, self._last_out_ts, self._last_out_at_s = out_seq, out_ts, now_s
        self.sent += 1
        self.sent_octets += len(payload)
        return _HEADER.pack(0x80, second, out_seq, out_ts, self.ssrc) + payload

    def _begin(self, ssrc: int, seq: int, ts: int, now_s: float) -> None:
        """A new source: its first packet follows our last one in number, and in time by the clock."""
        if self._last_out_at_s is None:
            self._seq_offset = self._ts_offset = 0
        else:
            pause = max(FRAME_TICKS, round((now_s - self._last_out_at_s) * CLOCK_HZ))
            self._seq_offset = self._last_out_seq + 1 - seq
            self._ts_offset = self._last_out_ts + pause - ts
        self._in_ssrc = ssrc
        self._last_in = seq
        self.base = self._highest = seq
        self.received = self._expected_before = self._received_before = 0
        self._transit = None
        self.jitter_ticks = 0.0

    def _count(self, seq: int, step: int, ts: int, now_s: float) -> None:
        self.received += 1
        if step > 0:
            self._highest += step
            self._last_in = seq
        transit = now_s * CLOCK_HZ - ts
        if self._transit is not None:
            change = abs(transit - self._transit)
            if change < CLOCK_HZ * 10:  # the timestamp wrapped, or the source set a new origin: no jitter
                self.jitter_ticks += (change - self.jitter_ticks) / 16
        self._transit = transit
