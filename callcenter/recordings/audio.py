"""A recording as the browser wants it: 16-bit PCM, any range of it, without holding it in memory.

Browsers don't play µ-law everywhere, and `<audio>` seeks by asking for byte ranges. So the PCM file exists only as
arithmetic: byte `n` of it comes from byte `n / 2` of the µ-law on disk. The length is taken from the file's size, never
from its header, so that a recording that still grows, or whose writer was killed, plays as far as it goes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from callcenter.errors import AppError, NotFound
from callcenter.telephony.media.g711 import SAMPLE_RATE, ulaw_to_linear
from callcenter.telephony.media.recording import CHANNELS, WAVE_FORMAT_MULAW, parse_header

_HEAD_BYTES = 256
_CHUNK_BYTES = 64 * 1024  # of µ-law
_PCM_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
PCM_HEADER_BYTES = _PCM_HEADER.size
_PCM_FRAME = CHANNELS * 2
_MAX_DATA_BYTES = 0xFFFF_FFFF - PCM_HEADER_BYTES


class RecordingMissing(NotFound):
    """The row is there, the file is not."""

    code = "recording_missing"


class RecordingDamaged(AppError):
    """The file is not a recording of ours."""

    code = "recording_damaged"
    status = 409


class RangeUnsatisfiable(AppError):
    """The range that was asked for lies outside the file; `params["length"]` is the file's length in bytes."""

    code = "range_unsatisfiable"
    status = 416


@dataclass(frozen=True)
class Audio:
    """Where the µ-law of a file lies. `samples` per channel."""

    path: Path
    data_start: int
    samples: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.samples / SAMPLE_RATE

    @property
    def pcm_length(self) -> int:
        """Bytes of the PCM WAV."""
        return PCM_HEADER_BYTES + self.samples * _PCM_FRAME

    def pcm(self, start: int, stop: int) -> Iterator[bytes]:
        """Bytes `start` to `stop` (exclusive) of the PCM WAV, in pieces of at most 128 KiB."""
        if start < PCM_HEADER_BYTES:
            yield self._pcm_header()[start:stop]
        first = max(start - PCM_HEADER_BYTES, 0)
        last = stop - PCM_HEADER_BYTES
        if last <= first:
            return
        with self.path.open("rb") as file:
            # Two PCM bytes a µ-law byte: read whole ones, and cut what lies outside off the first and last piece.
            at, end = first // 2, -(-last // 2)
            file.seek(self.data_start + at)
            while at < end:
                raw = file.read(min(_CHUNK_BYTES, end - at))
                if not raw:
                    return
                piece = ulaw_to_linear(raw).astype("<i2").tobytes()
                yield piece[max(0, first - at * 2) : last - at * 2]
                at += len(raw)

    def _pcm_header(self) -> bytes:
        data = min(self.samples * _PCM_FRAME, _MAX_DATA_BYTES)
        return _PCM_HEADER.pack(
            b"RIFF", PCM_HEADER_BYTES - 8 + data, b"WAVE",
            b"fmt ", 16, 1, CHANNELS, SAMPLE_RATE, SAMPLE_RATE * _PCM_FRAME, _PCM_FRAME, 16,
            b"data", data,
        )  # fmt: skip


def read(path: Path) -> Audio:
    """The audio of the file at `path`. Raises RecordingMissing, or RecordingDamaged if it is no recording of ours."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise RecordingMissing("The recording's file is not there.") from error
    info = parse_header(head)
    if info is None or (info.format, info.channels, info.rate) != (WAVE_FORMAT_MULAW, CHANNELS, SAMPLE_RATE):
        raise RecordingDamaged("The recording's file is damaged and can't be played.")
    return Audio(path, info.data_start, max(0, size - info.data_start) // CHANNELS)


def pcm_range(header: str | None, length: int) -> tuple[int, int] | None:
    """The bytes that a `Range` header asks for of a file of `length` bytes, as (start, stop); None: the whole file.

    A header that is not understood, or names several ranges, is ignored, as RFC 9110 (14.2) allows. Raises
    RangeUnsatisfiable if it starts behind the end.
    """
    if not header or not header.startswith("bytes=") or "," in header:
        return None
    first, dash, last = header[6:].strip().partition("-")
    if not dash or not (first or last) or not all(p.isascii() and (p.isdigit() or not p) for p in (first, last)):
        return None
    if not first:
        start, stop = max(0, length - int(last)), length
    else:
        start, stop = int(first), min(int(last) + 1, length) if last else length
        if last and int(last) < start:
            return None
    if start >= length or start >= stop:
        raise RangeUnsatisfiable("The range lies behind the end of the recording.", params={"length": length})
    return start, stop
