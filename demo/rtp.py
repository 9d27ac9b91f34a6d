"""The carrier's audio: one UDP port a call, all of them served by one 20 ms clock.

Sockets are read when the clock ticks rather than as packets come: with hundreds of calls that costs two system calls
a call and tick and no wake-ups in between. Sent is one packet a tick, silence when there is nothing to say. Where it
goes follows the source of what comes in (symmetric RTP); events (RFC 4733) and other payload types are not heard.
"""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Iterator

from demo.sip.message import Address
from demo.sip.sdp import PCMA, PCMU, Audio
from demo.sounds import ALAW_LEVEL, FRAME, ULAW_LEVEL, ULAW_TO_ALAW, Frames

TICK_S = 0.02
_HEADER = struct.Struct("!BBHII")
_SILENCE = b"\xff" * FRAME
_LEVELS = {PCMU: ULAW_LEVEL, PCMA: ALAW_LEVEL}
_PACKETS_A_TICK = 8
"""A flood on one port may not starve the others."""


class NoPort(Exception):
    """Every port of the range is taken."""


class RtpPort:
    """One call's stream. `level` is how loud the last tick's audio was (0 … 1); `received_at` when audio last came."""

    def __init__(self, sock: socket.socket, rng: random.Random, now: float) -> None:
        self._sock = sock
        self.local: Address = sock.getsockname()
        self.level = 0.0
        self.received_at = now
        self.sent = self.received = 0
        self._remote: Address | None = None
        self._payload_type = PCMU
        self._sends = True
        self._sequence = rng.getrandbits(16)
        self._timestamp = rng.getrandbits(32)
        self._ssrc = rng.getrandbits(32)
        self._marker = True
        self._frames: Frames = ()
        self._next = 0
        self._loops = False

    def connect(self, far: Audio) -> None:
        """Talk to the author of this description, in its codec and as its direction allows."""
        self._remote = far.address
        self._payload_type = far.payload_type
        self._sends = far.direction in ("sendrecv", "recvonly")

    def play(self, frames: Frames, *, loop: bool = False) -> None:
        """Send `frames` from the next tick on, in place of what was playing."""
        self._frames, self._next, self._loops = frames, 0, loop

    @property
    def playing(self) -> bool:
        """Whether frames are left to send."""
        return self._next < len(self._frames)

    def tick(self, now: float) -> None:
        """Take in what came, send one packet."""
        self._drain(now)
        payload = _SILENCE
        if self._next < len(self._frames):
            payload = self._frames[self._next]
            self._next += 1
            if self._loops and self._next == len(self._frames):
                self._next = 0
        if self._sends and self._remote:
            self._send(payload)
        self._sequence = self._sequence + 1 & 0xFFFF
        self._timestamp = self._timestamp + FRAME & 0xFFFFFFFF

    def close(self) -> None:
        """Give the port back."""
        self._sock.close()

    def _send(self, payload: bytes) -> None:
        kind = self._payload_type | (0x80 if self._marker else 0)
        if self._payload_type == PCMA:
            payload = payload.translate(ULAW_TO_ALAW)
        header = _HEADER.pack(0x80, kind, self._sequence, self._timestamp, self._ssrc)
        try:
            self._sock.sendto(header + payload, self._remote or ("", 0))
        except OSError:
            return  # the far end's port is closed or our buffer full: RTP loses packets
        self._marker = False
        self.sent += 1

    def _drain(self, now: float) -> None:
        self.level = 0.0
        for _ in range(_PACKETS_A_TICK):
            try:
                packet, source = self._sock.recvfrom(2048)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error of an earlier packet
            payload = _audio(packet)
            table = _LEVELS.get(packet[1] & 0x7F) if payload else None
            if table:
                self.received += 1
                self.received_at = now
                self._remote = source if self._remote else None
                self.level = max(self.level, sum(payload.translate(table)) / (255 * len(payload)))


class RtpPool:
    """Opens ports `first` … `last` (even ones) on `host`, in turn."""

    def __init__(self, host: str, first: int, last: int, rng: random.Random) -> None:
        self._host = host
        self._first = first + (first & 1)
        self._count = (last - self._first) // 2 + 1
        self._rng = rng
        self._turn = 0

    def open(self, now: float) -> RtpPort:
        """The next free port. Raises NoPort."""
        for port in self._round():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setblocking(False)
            try:
                sock.bind((self._host, port))
            except OSError:
                sock.close()
                continue
            return RtpPort(sock, self._rng, now)
        raise NoPort(f"all {self._count} RTP ports are taken")

    def _round(self) -> Iterator[int]:
        for _ in range(self._count):
            self._turn = (self._turn + 1) % self._count
            yield self._first + 2 * self._turn


def _audio(packet: bytes) -> bytes:
    """The payload of an RTP packet, b"" for anything else: RTCP, STUN, a truncated or padded-out packet."""
    if len(packet) <= 12 or packet[0] >> 6 != 2:
        return b""
    start = 12 + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        if len(packet) < start + 4:
            return b""
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
    end = len(packet) - (packet[-1] if packet[0] & 0x20 else 0)
    return packet[start:end]
