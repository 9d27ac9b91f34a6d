"""Several sounds as one file: µ-law, 8 kHz, mono, which is what the media process plays without converting."""

from __future__ import annotations

import io
import os
import struct
import wave
from collections.abc import Iterable
from pathlib import Path

from callcenter.ids import new_id
from callcenter.telephony.media.g711 import SAMPLE_RATE, SILENCE

_HEADER = struct.Struct("<4sI4s4sIHHIIHHH4sII4sI")
_WAVE_MULAW = 7


def silence(ms: int) -> bytes:
    """`ms` milliseconds of nothing."""
    return bytes([SILENCE]) * (SAMPLE_RATE * ms // 1000)


def as_wav(ulaw: bytes) -> bytes:
    """A WAV file of µ-law samples."""
    padding = b"\0" if len(ulaw) % 2 else b""
    size = _HEADER.size - 8 + len(ulaw) + len(padding)
    return (
        _HEADER.pack(
            b"RIFF", size, b"WAVE",
            b"fmt ", 18, _WAVE_MULAW, 1, SAMPLE_RATE, SAMPLE_RATE, 1, 8, 0,
            b"fact", 4, len(ulaw),
            b"data", len(ulaw),
        )
        + ulaw + padding
    )  # fmt: skip


def write(path: Path, pieces: Iterable[bytes]) -> int:
    """Join `pieces` of µ-law into the file `path`, which appears whole or not at all. Returns its bytes."""
    data = as_wav(b"".join(pieces))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{new_id()}")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    return len(data)


def as_pcm_wav(pcm: bytes) -> bytes:
    """A WAV file of 16-bit samples, 8 kHz mono, for browsers."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm)
    return target.getvalue()
