"""Many 20 ms G.711 streams from one thread, and the tones in them, for benchmarks that play agents and callees."""

from __future__ import annotations

import ctypes
import random
import socket
import struct
import threading
import time

import numpy as np

from callcenter.telephony.media import g711

FRAME_S = 0.02
SLOTS = 20  # a stream belongs to one millisecond of the 20, drawn at random: packets come spread, as from many people
_HEADER = struct.Struct("!BBHII")
_PR_SET_TIMERSLACK = 29


def tone(hz: int) -> bytes:
    """20 ms of a tone as µ-law; `hz` a multiple of 50, so that every frame is the same."""
    t = np.arange(g711.FRAME_SAMPLES) / g711.SAMPLE_RATE
    return bytes(g711.linear_to_ulaw((np.sin(2 * np.pi * hz * t) * 8000).astype(np.int16)))


AGENT = tone(400)
CALLEE = tone(1000)


class Stream:
    """One RTP stream of equal frames out of `sock`; `target` None sends nothing."""

    def __init__(self, sock: socket.socket, frame: bytes, target: tuple[str, int] | None = None) -> None:
        self.sock, self.target = sock, target
        self.slot = random.randrange(SLOTS)
        self._frame = frame
        self._sequence = random.getrandbits(16)
        self._timestamp = random.getrandbits(32)
        self._ssrc = random.getrandbits(32)

    def send(self) -> None:
        """One packet."""
        if self.target is None:
            return
        self._sequence = self._sequence + 1 & 0xFFFF
        self._timestamp = self._timestamp + g711.FRAME_SAMPLES & 0xFFFFFFFF
        header = _HEADER.pack(0x80, 0, self._sequence, self._timestamp, self._ssrc)
        try:
            self.sock.sendto(header + self._frame, self.target)
        except OSError:
            return  # the buffer is full or the far end has gone: RTP loses packets


class Streams(threading.Thread):
    """Sends all of its streams, each every 20 ms in its own millisecond."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._slots: list[dict[Stream, None]] = [{} for _ in range(SLOTS)]

    def add(self, stream: Stream) -> None:
        """Send it from now on."""
        self._slots[stream.slot][stream] = None

    def remove(self, stream: Stream) -> None:
        """Send it no more."""
        self._slots[stream.slot].pop(stream, None)

    def run(self) -> None:
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1000)  # ns; the default lets every sleep end 50 µs late
        due, slot = time.monotonic(), 0
        while True:
            due += FRAME_S / SLOTS
            now = time.monotonic()
            if now < due:
                time.sleep(due - now)
            elif now - due > 1.0:
                due = now  # held up for a second: begin anew rather than send all of it at once
            for stream in list(self._slots[slot]):
                stream.send()
            slot = (slot + 1) % SLOTS


def socket_on_loopback(receive_bytes: int = 0) -> socket.socket:
    """A UDP socket on 127.0.0.1 with an even port of 11200-19900 and, if given, so small a receive buffer. RTCP goes to
    the odd one above it, which must be no other's."""
    for _ in range(1000):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        sock.setblocking(False)
        try:
            sock.bind(("127.0.0.1", random.randrange(11200, 19900, 2)))
        except OSError:
            sock.close()
            continue
        return sock
    raise RuntimeError("no free UDP port between 11200 and 19900")
