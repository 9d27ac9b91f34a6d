"""Sound as numbers: tones, and the two G.711 laws as tables. 8 kHz throughout; samples are floats in -1 … 1."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

RATE_HZ = 8000
FRAME = 160
"""Samples, and G.711 bytes, of 20 ms."""

Samples = npt.NDArray[np.float32]
Frames = tuple[bytes, ...]
"""Consecutive 20 ms of µ-law, FRAME bytes each."""


def ulaw(samples: Samples) -> bytes:
    """`samples` in µ-law (G.711)."""
    pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int32)
    magnitude = np.minimum(np.abs(pcm), 32635) + 132
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    sign = np.where(pcm < 0, 0x80, 0)
    codes = (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)
    return bytes(codes.tobytes())


def ulaw_values(payload: bytes) -> Samples:
    """The samples of µ-law bytes."""
    values: Samples = _ULAW[np.frombuffer(payload, np.uint8)]
    return values


def alaw_values(payload: bytes) -> Samples:
    """The samples of A-law bytes."""
    values: Samples = _ALAW[np.frombuffer(payload, np.uint8)]
    return values


def frames(samples: Samples) -> Frames:
    """`samples` cut into µ-law frames, the last filled with silence."""
    data = ulaw(samples)
    data += b"\xff" * (-len(data) % FRAME)
    return tuple(data[i : i + FRAME] for i in range(0, len(data), FRAME))


def read_wav(path: Path) -> Samples:
    """A mono PCM16 file of 8 kHz. Raises ValueError for another form."""
    with wave.open(str(path), "rb") as file:
        if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, RATE_HZ):
            raise ValueError(f"{path.name} is not 8 kHz mono PCM16")
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    samples: Samples = pcm.astype(np.float32) / np.float32(32768)
    return samples


def tone(seconds: float, *hz: float, level: float = 0.2) -> Samples:
    """The sum of sines of the given frequencies, each with amplitude `level`, ends rounded over 5 ms."""
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    sound: Samples = (level * np.sum([np.sin(2 * np.pi * f * t) for f in hz], axis=0)).astype(np.float32)
    edge = min(40, len(t) // 2)
    if edge:
        ramp = np.linspace(0, 1, edge, dtype=np.float32)
        sound[:edge] *= ramp
        sound[-edge:] *= ramp[::-1]
    return sound


def silence(seconds: float) -> Samples:
    """Nothing, for `seconds`."""
    return np.zeros(int(seconds * RATE_HZ), np.float32)


def ringback(language: str) -> Samples:
    """One period of ringing: China (450 Hz, 1 s on, 4 s off), else North America (440 + 480 Hz, 2 on, 4 off)."""
    if language == "zh":
        return np.concatenate([tone(1.0, 450), silence(4.0)])
    return np.concatenate([tone(2.0, 440, 480, level=0.1), silence(4.0)])


def murmur(seconds: float, pitch_hz: float) -> Samples:
    """A speech-like sound, for when there is no speech: a buzz with the rhythm of syllables."""
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    buzz = np.sum([np.sin(2 * np.pi * pitch_hz * k * t) / k for k in (1, 2, 3, 4)], axis=0)
    sound: Samples = (0.2 * buzz * np.clip(np.sin(2 * np.pi * 2.2 * t) + 0.4, 0, 1)).astype(np.float32)
    return sound
    return sound


def _ulaw_table() -> Samples:
    code = ~np.arange(256) & 0xFF
    magnitude = (((code & 0x0F) << 3) + 132 << ((code & 0x70) >> 4)) - 132
    values: Samples = (np.where(code & 0x80, -magnitude, magnitude) / 32768).astype(np.float32)
    return values


def _alaw_table() -> Samples:
    code = np.arange(256) ^ 0x55
    exponent, step = (code & 0x70) >> 4, (code & 0x0F) << 4
    magnitude = np.where(exponent == 0, step + 8, step + 0x108 << np.maximum(exponent - 1, 0))
    values: Samples = (np.where(code & 0x80, magnitude, -magnitude) / 32768).astype(np.float32)
    return values


def _nearest(values: Samples, table: Samples) -> bytes:
    return bytes(int(np.argmin(np.abs(table - v))) for v in values)


_ULAW, _ALAW = _ulaw_table(), _alaw_table()
ULAW_TO_ALAW = _nearest(_ULAW, _ALAW)
"""For bytes.translate: the A-law code nearest to each µ-law code."""
ULAW_LEVEL = bytes((np.abs(_ULAW) * 255).astype(np.uint8))
ALAW_LEVEL = bytes((np.abs(_ALAW) * 255).astype(np.uint8))
"""For bytes.translate: the magnitude of each code, 0 … 255 for 0 … full scale; the mean over a frame is its level."""
