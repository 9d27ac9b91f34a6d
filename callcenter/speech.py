"""Text to speech for prompts, on this machine and with nothing installed: libespeak-ng from its wheel, through ctypes;
piper's program where the operator has it (`callcenter/voices.py`).

libespeak-ng keeps its state in globals and is not re-entrant, so it never runs in the caller's process: each call
starts a short-lived interpreter (`python -m callcenter.speech`, jobs as JSON on standard input), so `synthesise` is
safe from any thread and from a gevent worker. Starting one takes 0.1 s; `synthesise_many` shares it among many texts,
and who speaks all day keeps one (`Speaker`).

What comes out is what the media process plays: WAV, 8 kHz, mono, PCM16, silence trimmed, speech at about -16 dBFS.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import wave
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from callcenter.config import ROOT
from callcenter.errors import AppError, InvalidInput
from callcenter.voices import piper_program, voice_by_id

log = logging.getLogger(__name__)
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
    """One text to speak into one file. `language` is a tag of `VOICES`, `variant` one of `VARIANTS`. `voice` is an id
    of `callcenter.voices` and goes before the variant; one that is gone is spoken by eSpeak NG."""

    text: str
    language: str
    path: str
    variant: str = ""
    voice: str = ""


def synthesise(text: str, language: str, path: Path, *, variant: str = "") -> None:
    """Speak `text` into the WAV file `path`, which appears whole or not at all. Blocks for some tenths of a second.

    Raises UnknownLanguage, InvalidInput (empty text, unknown variant) and SpeechFailed.
    """
    synthesise_many([Job(text, language, str(path), variant)])


def synthesise_many(jobs: Sequence[Job], *, timeout_s: float = TIMEOUT_S) -> None:
    """Speak all of `jobs` in one subprocess. Every job is checked before any is spoken. Errors as in `synthesise`."""
    for job in jobs:
        _check(job)
    if not jobs:
        return
    absolute = [_as_sent(job) for job in jobs]
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


def _check(job: Job) -> None:
    _voice(job.language)
    if not job.text.strip():
        raise InvalidInput("There is no text to speak.", code="empty_text", fields={"text": "give some text"})
    if job.variant not in VARIANTS:
        raise InvalidInput(
            f"Unknown voice variant {job.variant!r}.", fields={"variant": "one of " + ", ".join(sorted(VARIANTS))}
        )


def _as_sent(job: Job) -> dict[str, str]:
    return {**asdict(job), "path": str(Path(job.path).resolve())}


class Speaker:
    """One interpreter that is kept and speaks job after job, some milliseconds each. For threads; one speaks at a time.

    It starts at the first job, is started anew if it died, and ends when its standard input is closed, so with us."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def speak(self, jobs: Sequence[Job], timeout_s: float = TIMEOUT_S) -> list[str]:
        """Speak all of `jobs`. Returns for each why it was not spoken, "" if it was. Never raises for a job's fault."""
        said: list[str] = []
        for job in jobs:
            try:
                _check(job)
                with self._lock:
                    said.append(self._ask(job, timeout_s))
            except (AppError, OSError, ValueError) as error:
                said.append(str(error) or type(error).__name__)
        return said

    def close(self) -> None:
        """End the interpreter."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def _ask(self, job: Job, timeout_s: float) -> str:
        process = self._process
        if process is None or process.poll() is not None:
            process = self._process = subprocess.Popen(
                [sys.executable, "-m", "callcenter.speech", "--keep"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=ROOT,
            )
        assert process.stdin is not None and process.stdout is not None
        guard = threading.Timer(timeout_s, process.kill)
        guard.start()
        try:
            process.stdin.write(json.dumps(_as_sent(job)).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        finally:
            guard.cancel()
        if not line:
            process.wait()
            return "the speaking process ended"
        return str(json.loads(line))


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
    """Write `samples` (-1 … 1) as mono PCM16; readers see the whole file or none. Raises OSError, also where `path` is
    a device or a pipe: a rename would put the file in its place."""
    if path.exists() and not path.is_file():
        raise FileExistsError(f"{path} is no file")
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


def _piper(job: Job, model: str) -> Samples:
    """Speech at RATE_HZ by piper's program."""
    import soxr

    with tempfile.TemporaryDirectory(prefix="piper-") as folder:
        path = Path(folder) / "out.wav"
        done = subprocess.run(
            [piper_program(), "--model", model, "--output_file", str(path)],
            input=job.text.encode(),
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0 or not path.exists():
            raise SpeechFailed(f"piper failed: {done.stderr.decode(errors='replace').strip()[-200:]}")
        with wave.open(str(path), "rb") as file:
            rate = file.getframerate()
            raw = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / np.float32(32768)
    return np.asarray(soxr.resample(raw, rate, RATE_HZ), dtype=np.float32)


def _speak(job: Job, espeak: _Espeak) -> None:
    import soxr

    chosen = voice_by_id(job.voice) if job.voice else None
    samples: Samples | None = None
    if chosen is not None and chosen.engine == "piper":
        try:
            samples = finish(_piper(job, chosen.model))
        except (SpeechFailed, OSError, subprocess.SubprocessError, wave.Error) as error:
            log.error("%s does not speak, eSpeak NG does: %s", chosen.id, error)
    if samples is None or not len(samples):
        variant = chosen.variant if chosen is not None else job.variant
        voice = _voice(job.language) + (f"+{variant}" if variant else "")
        spoken = np.asarray(soxr.resample(espeak.say(job.text, voice), espeak.rate_hz, RATE_HZ), dtype=np.float32)
        samples = finish(spoken)
    if not len(samples):
        raise SpeechFailed(f"Nothing of {job.text[:40]!r} can be spoken in {job.language}.")
    write_wav(Path(job.path), samples)


def main() -> None:
    """The subprocess: jobs as JSON on standard input, files out, exit status 1 with one line on standard error."""
    try:
        espeak = _Espeak()
        for given in json.load(sys.stdin):
            _speak(Job(**given), espeak)
    except (AppError, OSError, ImportError) as error:
        raise SystemExit(str(error)) from None


def keep() -> None:
    """The subprocess of `Speaker`: one job a line in, one answer a line out ("" for done); ends with its input."""
    espeak = _Espeak()
    for line in sys.stdin.buffer:
        said = ""
        try:
            _speak(Job(**json.loads(line)), espeak)
        except (AppError, OSError, ValueError) as error:
            said = str(error) or type(error).__name__
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    if "--keep" in sys.argv[1:]:
        keep()
    else:
        main()
