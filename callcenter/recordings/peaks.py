"""The waveform of a recording: the loudest sample of each slice, for both channels, kept beside the file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from callcenter import wire
from callcenter.recordings.audio import Audio
from callcenter.telephony.media.g711 import ULAW_TO_LINEAR
from callcenter.telephony.media.recording import CHANNELS

BUCKETS = 800  # about one a pixel of the player
_LOUDNESS = np.abs(ULAW_TO_LINEAR.astype(np.int32))
_FULL_SCALE = 32768
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Peaks:
    """`agent` and `customer`: at most BUCKETS values 0–1, in time order, together `seconds` long. `samples` tells
    whether the file has grown since."""

    samples: int
    seconds: float
    agent: tuple[float, ...]
    customer: tuple[float, ...]


def of(audio: Audio) -> Peaks:
    """The peaks of `audio`: those kept beside the file if it has not grown since, otherwise computed and kept."""
    kept = audio.path.with_name(audio.path.name + ".peaks")
    try:
        known = wire.from_json(kept.read_bytes(), Peaks)
        if known.samples == audio.samples:
            return known
    except (OSError, msgspec.DecodeError):
        pass  # none yet, or cut off: they are computed anew
    found = compute(audio)
    _keep(kept, wire.to_json(found))
    return found


def compute(audio: Audio) -> Peaks:
    """The peaks of `audio`, read in blocks of 1 MiB."""
    buckets = min(BUCKETS, audio.samples)
    highest = np.zeros((max(buckets, 1), CHANNELS), np.int32)
    at = 0
    with audio.path.open("rb") as file:
        file.seek(audio.data_start)
        while at < audio.samples:
            raw = file.read(min(_BLOCK_BYTES, (audio.samples - at) * CHANNELS))
            frames = len(raw) // CHANNELS
            if not frames:
                break
            loud = _LOUDNESS[np.frombuffer(raw, np.uint8, frames * CHANNELS)].reshape(frames, CHANNELS)
            bucket = (at + np.arange(frames, dtype=np.int64)) * buckets // audio.samples
            edges = np.flatnonzero(np.diff(bucket, prepend=-1))
            into = bucket[edges]
            highest[into] = np.maximum(highest[into], np.maximum.reduceat(loud, edges, axis=0))
            at += frames
    scaled = np.round(highest[:buckets] / _FULL_SCALE, 3)
    return Peaks(audio.samples, audio.seconds, tuple(scaled[:, 0].tolist()), tuple(scaled[:, 1].tolist()))


def _keep(path: Path, raw: bytes) -> None:
    """Replace `path` as one; a disk that is full costs the cache only."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(raw)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
