"""An uploaded or recorded sound → what the media process plays: WAV, 8 kHz, mono, PCM16, at one loudness.

WAV, MP3, OGG, WebM and M4A are read by FFmpeg (through PyAV). The file is a stranger's, so it is read in a process of
its own that is short-lived and bounded in time, and only by the reader of the format that its first bytes show: a list
of files posing as a sound would be opened by others.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from callcenter.config import ROOT
from callcenter.errors import InvalidInput, Unavailable
from callcenter.speech import RATE_HZ, Samples, finish, level_dbfs, write_wav

MAX_BYTES = 30 * 1024 * 1024
MAX_SECONDS = 600.0
MIN_SECONDS = 0.2
QUIETEST_DBFS = -55.0  # below that a file holds noise and no sound
TIMEOUT_S = 60.0
_CPU_S = 50

# code → what the person who uploaded it reads beside the field
REASONS = {
    "not_a_sound": "This is not a sound file that we can read. Give a WAV, MP3, OGG, WebM or M4A file.",
    "sound_too_long": "The sound is longer than 10 minutes. Cut it.",
    "sound_too_short": "There is less than a fifth of a second of sound in it. Record it again.",
    "sound_silent": "Nothing can be heard in it. Record it again, closer to the microphone.",
}


def format_of(head: bytes) -> str | None:
    """FFmpeg's name of the format that a file's first bytes show; None for any other."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"OggS":
        return "ogg"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "matroska"
    if head[4:8] == b"ftyp":
        return "mov"
    if head[:3] == b"ID3" or (len(head) > 2 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2):
        return "mp3"
    return None


def to_prompt(source: Path, target: Path) -> float:
    """Read the sound file `source`, bring it to our loudness and write it to `target`. Returns its seconds.

    Takes some tenths of a second. Raises InvalidInput with one of the codes of REASONS, Unavailable.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "callcenter.prompts.decode", str(source.resolve()), str(target.resolve())],
            capture_output=True,
            cwd=ROOT,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable("The sound could not be read in time. Try again.", code="sound_slow") from None
    try:
        told: dict[str, Any] = json.loads(done.stdout)
    except ValueError:  # the reader died of the file
        told = {"code": "not_a_sound"}
    code = str(told.get("code") or "")
    if code:
        raise InvalidInput(REASONS[code], code=code, fields={"file": REASONS[code]})
    return float(told["seconds"])


def levelled(sound: Samples) -> Samples:
    """The sound as it is kept: quiet ends cut off, at the loudness of speech, peaks bent. Raises _Unfit."""
    if len(sound) < MIN_SECONDS * RATE_HZ:
        raise _Unfit("sound_too_short")
    sound = sound - np.float32(sound.mean())
    if level_dbfs(sound) < QUIETEST_DBFS:
        raise _Unfit("sound_silent")
    return finish(sound)


class _Unfit(Exception):
    """A code of REASONS."""


def _read(path: Path) -> Samples:
    import av

    with path.open("rb") as file:
        form = format_of(file.read(16))
    if form is None:
        raise _Unfit("not_a_sound")
    parts: list[Samples] = []
    count = 0
    with av.open(str(path), mode="r", format=form, options={"protocol_whitelist": "file"}) as container:
        if not container.streams.audio:
            raise _Unfit("not_a_sound")
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        for frame in container.decode(container.streams.audio[0]):
            for piece in resampler.resample(frame):
                parts.append(piece.to_ndarray().reshape(-1).astype(np.float32))
                count += len(parts[-1])
            if count > MAX_SECONDS * RATE_HZ:
                raise _Unfit("sound_too_long")
        for piece in resampler.resample(None):
            parts.append(piece.to_ndarray().reshape(-1).astype(np.float32))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def main(source: str, target: str) -> None:
    """The subprocess: says {seconds} or {code} as JSON."""
    import av.error

    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    try:
        kept = levelled(_read(Path(source)))
        write_wav(Path(target), kept)
        told: dict[str, Any] = {"seconds": round(len(kept) / RATE_HZ, 3)}
    except _Unfit as unfit:
        told = {"code": str(unfit)}
    except (av.error.FFmpegError, ValueError, OSError):
        told = {"code": "not_a_sound"}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
