"""Text to speech for prompts, on this machine and with nothing installed: libespeak-ng from its wheel, through ctypes.

libespeak-ng keeps its state in globals and is not re-entrant, so it never runs in the caller's process: each call
starts a short-lived interpreter (`python -m callcenter.speech`, jobs as JSON on standard input), so `synthesise` is
safe from any thread and from a gevent worker. Starting one takes 0.1 s; `synthesise_many` shares it among many texts.

What comes out is what the media process plays: WAV, 8 kHz, mono, PCM16, silence trimmed, speech at about -16 dBFS.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import tempfile
import wave
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from callcenter.config import ROOT
from callcenter.errors import AppError, InvalidInput

RATE_HZ = 8000
TARGET_DBFS = -16.0
TIMEOUT_S = 60.0

VOICES: Mapping[str, str] = MappingProxyType(
    {"en": "en-us", "en-us": "en-us", "zh": "cmn", "zh-cn": "cmn", "zh-hans": "cmn", "cmn": "cmn"}
)
"""Language tags taken (in lower case) → espeak-ng voice."""

VARIANTS = frozenset({"", "f1", "f2", "f3", "f4", "m1", "m2", "m3", "m4"})
"""Timbres of espeak-ng: female f…, male m…, "" for the voice as it is."""

# speak_lib.h of espeak-ng 1.52
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_POS_CHARACTER = 1
_CHARS_UTF8 = 1
_PARAM_RATE = 1

Samples = npt.NDArray[np.float32]


class UnknownLanguage(InvalidInput):
    """No voice for this language; `fields` names those there are."""

    code = "unknown_language"


class SpeechFailed(AppError):
    """espeak-ng is missing, crashed or made no sound of this text."""

    code = "speech_failed"
    status = 500


@dataclass(frozen=True)
class Job:
    """One text to speak into one file. `language` is a tag of `VOICES`, `variant` one of `VARIANTS`."""

    text: str
    language: str
    path: str
    variant: str = ""


def synthesise(text: str, language: str, path: Path, *, variant: str = "") -> None:
    """Speak `text` into the WAV file `path`, which appears whole or not at all. Blocks for some tenths of a second.

    Raises UnknownLanguage, InvalidInput (empty text, unknown variant) and SpeechFailed.
    """
    synthesise_many([Job(text, language, str(path), variant)])


def synthesise_many(jobs: Sequence[Job], *, timeout_s: float = TIMEOUT_S) -> None:
    """Speak all of `jobs` in one subprocess. Every job is checked before any is spoken. Errors as in `synthesise`."""
    for job in jobs:
        _voice(job.language)
        if not job.text.strip():
            raise InvalidInput("There is no text to speak.", code="empty_text", fields={"text": "give some text"})
        if job.variant not in VARIANTS:
            raise InvalidInput(
                f"Unknown voice variant {job.variant!r}.", fields={"variant": "one of " + ", ".join(sorted(VARIANTS))}
            )
    if not jobs:
        return
    absolute = [{**asdict(job), "path": str(Path(job.path).resolve())} for job in jobs]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "callcenter.speech"],
            input=json.dumps(absolute).encode(),
            capture_output=True,
            cwd=ROOT,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SpeechFailed(f"Text to speech did not finish within {timeout_s:.0f} s.") from None
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise SpeechFailed(f"Text to speech failed: {last[0]}")


def level_dbfs(samples: Samples) -> float:
    """RMS of the frames (20 ms) that carry speech, in dB of full scale; -inf for silence. `samples` in -1 … 1."""
    frame = RATE_HZ // 50
    whole = samples[: len(samples) // frame * frame].reshape(-1, frame)
    power = np.mean(np.square(whole, dtype=np.float64), axis=1) if len(whole) else np.zeros(1)
    loud = power[power > max(float(power.max()) * 1e-3, 1e-9)]
    return float(10 * np.log10(loud.mean())) if len(loud) else float("-inf")


def finish(samples: Samples, *, margin_s: float = 0.05) -> Samples:
    """`samples` (8 kHz, -1 … 1) without silence at its ends, speech at TARGET_DBFS, peaks bent, not clipped."""
    peak = float(np.abs(samples).max(initial=0.0))
    if peak == 0.0:
        return samples[:0]
    loud = np.flatnonzero(np.abs(samples) > peak * 0.02)
    margin = int(margin_s * RATE_HZ)
    kept = samples[max(0, int(loud[0]) - margin) : int(loud[-1]) + margin]
    gained = kept * np.float32(10 ** ((TARGET_DBFS - level_dbfs(kept)) / 20))
    knee = np.float32(0.7)
    over = np.abs(gained) > knee
    gained[over] = np.sign(gained[over]) * (knee + (1 - knee) * np.tanh((np.abs(gained[over]) - knee) / (1 - knee)))
    return gained


def write_wav(path: Path, samples: Samples, rate_hz: int = RATE_HZ) -> None:
    """Write `samples` (-1 … 1) as mono PCM16; readers see the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".wav")
    try:
        with os.fdopen(handle, "wb") as raw, wave.open(raw, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(rate_hz)
            out.writeframes(pcm)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _voice(language: str) -> str:
    try:
        return VOICES[language.lower().replace("_", "-")]
    except KeyError:
        raise UnknownLanguage(
            f"There is no voice for the language {language!r}.",
            fields={"language": "one of " + ", ".join(VOICES)},
            params={"language": language},
        ) from None


class _Espeak:
    """libespeak-ng in this process. One instance, one thread."""

    def __init__(self) -> None:
        import espeakng_loader

        self._lib = ctypes.CDLL(espeakng_loader.get_library_path())
        callback_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self._chunks: list[bytes] = []
        self._callback = callback_type(self._take)  # kept: the library holds only the pointer
        data = espeakng_loader.get_data_path().encode()
        self.rate_hz = int(self._lib.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data, 0))
        if self.rate_hz <= 0:
            raise SpeechFailed("espeak-ng could not read its voice data.")
        self._lib.espeak_SetSynthCallback(self._callback)

    def _take(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _events: object) -> int:
        if samples and count > 0:
            self._chunks.append(ctypes.string_at(samples, count * 2))
        return 0

    def say(self, text: str, voice: str, words_per_minute: int = 165) -> Samples:
        """Speech at `rate_hz`, -1 … 1."""
        if self._lib.espeak_SetVoiceByName(voice.encode()) != 0:
            raise SpeechFailed(f"espeak-ng has no voice {voice!r}.")
        self._lib.espeak_SetParameter(_PARAM_RATE, words_per_minute, 0)
        self._chunks.clear()
        raw = text.encode() + b"\0"
        status = self._lib.espeak_Synth(
            raw, ctypes.c_size_t(len(raw)), ctypes.c_uint(0), _POS_CHARACTER, ctypes.c_uint(0), _CHARS_UTF8, None, None
        )
        self._lib.espeak_Synchronize()
        if status != 0 or not self._chunks:
            raise SpeechFailed(f"espeak-ng made no sound of {text[:40]!r} (status {status}).")
        return np.frombuffer(b"".join(self._chunks), "<i2").astype(np.float32) / np.float32(32768)


def main() -> None:
    """The subprocess: jobs as JSON on standard input, files out, exit status 1 with one line on standard error."""
    import soxr

    try:
        espeak = _Espeak()
        for given in json.load(sys.stdin):
            job = Job(**given)
            voice = _voice(job.language) + (f"+{job.variant}" if job.variant else "")
            spoken = np.asarray(soxr.resample(espeak.say(job.text, voice), espeak.rate_hz, RATE_HZ), dtype=np.float32)
            samples = finish(spoken)
            if not len(samples):
                raise SpeechFailed(f"Nothing of {job.text[:40]!r} can be spoken in {job.language}.")
            write_wav(Path(job.path), samples)
    except (AppError, OSError, ImportError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
