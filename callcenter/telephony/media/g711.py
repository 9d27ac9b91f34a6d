"""G.711 as tables: µ-law and A-law to 16-bit samples and back, from one to the other, and mixing.

Inside the media process audio is µ-law; an A-law leg is translated at its border, one `bytes.translate` a frame.
Source: ITU-T G.711; the segment arithmetic is that of the reference implementation in G.191.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 8000
FRAME_SAMPLES = 160  # 20 ms
SILENCE = 0xFF  # µ-law zero
SILENT_FRAME = bytes([SILENCE]) * FRAME_SAMPLES

Samples = NDArray[np.int16]


def _ulaw_decode() -> Samples:
    u = ~np.arange(256, dtype=np.int32) & 0xFF
    value = ((((u & 0x0F) << 3) + 0x84) << ((u & 0x70) >> 4)) - 0x84
    return np.where(u & 0x80, -value, value).astype(np.int16)


def _alaw_decode() -> Samples:
    a = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (a & 0x70) >> 4
    low = ((a & 0x0F) << 4) + 8
    value = np.where(segment == 0, low, (low + 0x100) << np.maximum(segment - 1, 0))
    return np.where(a & 0x80, value, -value).astype(np.int16)


def _all_samples() -> NDArray[np.int32]:
    """Every 16-bit sample in the order of its bits taken as an unsigned index."""
    return np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)


def _ulaw_encode() -> NDArray[np.uint8]:
    x = _all_samples()
    magnitude = np.minimum(np.abs(x), 32635) + 0x84
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    value = (segment << 4) | ((magnitude >> (segment + 3)) & 0x0F)
    table: NDArray[np.uint8] = (~np.where(x < 0, value | 0x80, value) & 0xFF).astype(np.uint8)
    return table


def _alaw_encode() -> NDArray[np.uint8]:
    x = _all_samples() >> 3
    magnitude = np.where(x >= 0, x, -x - 1)
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    value = (segment << 4) | ((magnitude >> np.maximum(segment, 1)) & 0x0F)
    table: NDArray[np.uint8] = (value ^ np.where(x >= 0, 0xD5, 0x55)).astype(np.uint8)
    return table


ULAW_TO_LINEAR = _ulaw_decode()
ALAW_TO_LINEAR = _alaw_decode()
_LINEAR_TO_ULAW = _ulaw_encode()
_LINEAR_TO_ALAW = _alaw_encode()
ULAW_TO_ALAW: bytes = _LINEAR_TO_ALAW[ULAW_TO_LINEAR.view(np.uint16)].tobytes()
ALAW_TO_ULAW: bytes = _LINEAR_TO_ULAW[ALAW_TO_LINEAR.view(np.uint16)].tobytes()
"""Tables of 256 bytes for `bytes.translate`."""


def ulaw_to_linear(data: bytes | bytearray | memoryview) -> Samples:
    """µ-law bytes → 16-bit samples of the same number."""
    return ULAW_TO_LINEAR[np.frombuffer(data, np.uint8)]


def linear_to_ulaw(samples: Samples) -> bytes:
    """16-bit samples → µ-law bytes of the same number."""
    return _LINEAR_TO_ULAW[np.ascontiguousarray(samples, np.int16).view(np.uint16)].tobytes()


def alaw_to_linear(data: bytes | bytearray | memoryview) -> Samples:
    """A-law bytes → 16-bit samples of the same number."""
    return ALAW_TO_LINEAR[np.frombuffer(data, np.uint8)]


def linear_to_alaw(samples: Samples) -> bytes:
    """16-bit samples → A-law bytes of the same number."""
    return _LINEAR_TO_ALAW[np.ascontiguousarray(samples, np.int16).view(np.uint16)].tobytes()


def mix_rows(rows: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Sums along the second axis of (listeners, sources, samples), saturated → µ-law (listeners, samples).

    All listeners with the same number of sources are mixed in one go: a numpy call costs as much for one row as for
    fifty.
    """
    total = rows.sum(axis=1, dtype=np.int32)
    np.clip(total, -32768, 32767, out=total)
    encoded: NDArray[np.uint8] = _LINEAR_TO_ULAW[total.astype(np.int16).view(np.uint16)]
    return encoded


def mix(frames: list[bytes]) -> bytes:
    """µ-law frames of one length, summed with saturation. One frame comes back as it is, none is an error."""
    if len(frames) == 1:
        return frames[0]
    rows = np.stack([ulaw_to_linear(f) for f in frames])[np.newaxis]
    return bytes(mix_rows(rows)[0])
