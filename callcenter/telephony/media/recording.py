"""Stereo recordings aligned to the wall clock: two channel buffers, and the WAV header around what they give.

Pure: times are samples of the process's clock, the disk is `disk.py`'s. The buffers hold what is not on disk yet; a
frame is put at its place, what nobody filled is silence, so both channels stay in step whatever is lost.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from callcenter.telephony.media.g711 import SAMPLE_RATE, SILENCE

SETTLE_SAMPLES = 2000  # 250 ms: how late a packet may be and still be recorded
CAPACITY_SAMPLES = 16000  # 2 s: a loop held up for longer loses what lies beyond
CHANNELS = 2
WAVE_FORMAT_MULAW = 7
_SILENCE = bytes([SILENCE]) * CAPACITY_SAMPLES
_HEADER = struct.Struct("<4sI4s4sIHHIIHHH4sII4sI")
HEADER_BYTES = _HEADER.size
_BEFORE_RIFF_SIZE = 8


@dataclass(frozen=True, slots=True)
class WavInfo:
    """Of a WAV header: `data_start` and `data_bytes` tell where the audio lies."""

    format: int
    channels: int
    rate: int
    bits: int
    data_start: int
    data_bytes: int


def header(data_bytes: int) -> bytes:
    """The header of a stereo µ-law WAV with `data_bytes` of audio."""
    return _HEADER.pack(
        b"RIFF", HEADER_BYTES - _BEFORE_RIFF_SIZE + data_bytes + data_bytes % 2, b"WAVE",
        b"fmt ", 18, WAVE_FORMAT_MULAW, CHANNELS, SAMPLE_RATE, SAMPLE_RATE * CHANNELS, CHANNELS, 8, 0,
        b"fact", 4, data_bytes // CHANNELS,
        b"data", data_bytes,
    )  # fmt: skip


def parse_header(data: bytes) -> WavInfo | None:
    """The format and place of the audio in a WAV's first bytes, or None if it is no WAV that we understand."""
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    at = 12
    form: tuple[int, int, int, int] | None = None
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"fmt " and size >= 16 and at + 24 <= len(data):
            kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, at + 8)
            if kind == 0xFFFE and size >= 40 and at + 34 <= len(data):  # extensible: the true format leads its GUID
                kind = int.from_bytes(data[at + 32 : at + 34], "little")
            form = (kind, channels, rate, bits)
        elif name == b"data":
            return None if form is None else WavInfo(*form, data_start=at + 8, data_bytes=size)
        at += 8 + size + size % 2
    return None


class Channel:
    """One side. `buffer[0]` lies at `base` on the clock; the port's fast path writes into it by itself. `next` is the
    next channel that the same port feeds."""

    __slots__ = ("base", "buffer", "next", "port_id")

    def __init__(self, port_id: str, base: int) -> None:
        self.port_id = port_id
        self.base = base
        self.next: Channel | None = None
        self.buffer = bytearray(_SILENCE)

    def put(self, place: int, payload: bytes | bytearray | memoryview) -> None:
        """Lay µ-law samples at `place`. What is on disk already, or too far ahead, is dropped."""
        at = place - self.base
        size = len(payload)
        if at + size > CAPACITY_SAMPLES:
            return
        if at < 0:
            if at + size <= 0:
                return
            payload, at, size = payload[-at:], 0, size + at
        self.buffer[at : at + size] = payload

    def _take(self, count: int) -> bytearray:
        taken = self.buffer[:count]
        del self.buffer[:count]
        self.buffer += _SILENCE[:count]
        self.base += count
        return taken


class Recording:
    """What `left` and `right` send, from `start` on. `flush` and `finish` give interleaved µ-law for the file."""

    def __init__(self, recording_id: str, path: str, left_port: str, right_port: str, start: int) -> None:
        self.recording_id = recording_id
        self.path = path
        self.left = Channel(left_port, start)
        self.right = Channel(right_port, start)
        self.paused = False

    @property
    def channels(self) -> tuple[Channel, Channel]:
        """Left and right."""
        return self.left, self.right

    def pause(self, paused: bool) -> None:
        """Record silence from now on, or sound again: the owner feeds the channels of a paused recording nothing."""
        self.paused = paused

    def retarget(self, left_port: str, right_port: str) -> None:
        """Other ports feed the channels from now on."""
        self.left.port_id, self.right.port_id = left_port, right_port

    def flush(self, now: int) -> bytearray:
        """What is old enough that nothing more is coming for it."""
        return self._take(now - SETTLE_SAMPLES - self.left.base)

    def finish(self, now: int) -> bytearray:
        """All up to `now`."""
        return self._take(now - self.left.base)

    def _take(self, count: int) -> bytearray:
        if count <= 0:
            return bytearray()
        beyond = max(0, count - CAPACITY_SAMPLES)
        count -= beyond
        both = bytearray(CHANNELS * count)
        both[0::2] = self.left._take(count)
        both[1::2] = self.right._take(count)
        if beyond:
            for channel in self.channels:
                channel.base += beyond
            both.extend(bytes([SILENCE]) * (CHANNELS * beyond))
        return both
