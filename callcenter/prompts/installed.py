"""The prompts an installation starts with, under `var/prompts/`: identification messages, announcements, hold music.

WAV, 8 kHz, mono, PCM16. A file's name carries a digest of what it says, so that a changed text or another organisation
makes a new file and calls that play the old one are not disturbed. Speech comes from `callcenter/speech.py`; the music
is made here, of sines, and belongs to nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from callcenter.errors import InvalidInput
from callcenter.speech import RATE_HZ, Job, Samples, synthesise_many, write_wav
from callcenter.voices import default_voice

ORGANISATION: Mapping[str, str] = MappingProxyType({"zh": "客户服务中心", "en": "a customer service team"})
"""Who calls, in the identification message where nobody gave a name, by language. It names no enterprise, because an
installation has many of them."""

TEXTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "identification": {
            "zh": "您好，这里是{organisation}。很抱歉，目前没有客服人员可以与您通话。打扰您了，再见。",
            "en": "Hello, this is {organisation}. We called you, but nobody is free to talk to you just now. "
            "We are sorry to have disturbed you. Goodbye.",
        },
        "no_agent": {
            "zh": "您好，目前所有坐席都在忙，请您稍候，我们会尽快为您接通。",
            "en": "All our agents are busy at the moment. Please hold the line, we will be with you shortly.",
        },
        "closed": {
            "zh": "您好，现在是非工作时间，请您在工作时间再来电，谢谢。",
            "en": "Our office is closed at the moment. Please call again during office hours. Thank you.",
        },
        "voicemail": {
            "zh": "请在提示音后留言，留言完毕请挂机，或按井号键结束。",
            "en": "Please leave your message after the tone. Hang up when you have finished, or press the hash key.",
        },
        "voicemail_kept": {
            "zh": "您的留言已保存，我们会尽快与您联系。再见。",
            "en": "Thank you. We have your message, and will call you back. Goodbye.",
        },
        "thanks": {"zh": "感谢您的来电，再见。", "en": "Thank you for your call. Goodbye."},
    }
)
"""By name and language; keys of `ensure_prompts` are `<name>_<language>`."""

MUSIC_S = 24.0
_MUSIC_VERSION = "1"


def ensure_prompts(var: Path, organisation: Mapping[str, str] = ORGANISATION) -> dict[str, Path]:
    """Make what is missing and return every prompt: `hold_music` and `<name>_<language>` for all of TEXTS.

    Takes about a second the first time, nothing after. Raises SpeechFailed when speech can't be made.
    """
    found: dict[str, Path] = {}
    missing: list[Job] = []
    for name, by_language in TEXTS.items():
        for language, text in by_language.items():
            job = _job(var, name, language, text.format(organisation=organisation.get(language, "")))
            found[f"{name}_{language}"] = Path(job.path)
            if not Path(job.path).exists():
                missing.append(job)
    synthesise_many(missing)
    music = folder(var) / f"hold_music-{_MUSIC_VERSION}.wav"
    if not music.exists():
        write_wav(music, hold_music())
    return {**found, "hold_music": music}


def identification_prompt(var: Path, organisation: str, language: str) -> Path:
    """The message an abandoned call hears in the name of `organisation`; made if it is not there yet. `language` is
    "zh" or "en". Raises InvalidInput for an empty name or another language, SpeechFailed."""
    text = TEXTS["identification"].get(language)
    if text is None:
        known = ", ".join(TEXTS["identification"])
        raise InvalidInput(f"No identification message in {language!r}.", fields={"language": f"one of {known}"})
    if not organisation.strip():
        raise InvalidInput("The organisation has no name.", fields={"organisation": "give the name callees shall hear"})
    job = _job(var, "identification", language, text.format(organisation=organisation.strip()))
    if not Path(job.path).exists():
        synthesise_many([job])
    return Path(job.path)


def folder(var: Path) -> Path:
    """Where prompts are kept."""
    return var / "prompts"


def hold_music(seconds: float = MUSIC_S) -> Samples:
    """A calm loop: four chords under a slow arpeggio, about -24 dBFS. Its end runs on into its beginning."""
    n = int(seconds * RATE_HZ)
    sound = np.zeros(n)
    chords = ((48, 55, 64, 71), (45, 52, 60, 67), (41, 48, 57, 64), (43, 50, 59, 65))  # MIDI: Cmaj7 Am7 Fmaj7 G7
    length = n // len(chords)
    for i, chord in enumerate(chords):
        for note in chord:
            _add(sound, i * length, 0.10 * _pad(_hz(note), length))
        for step in range(8):
            note = chord[(0, 2, 1, 3, 2, 3, 1, 2)[step]] + 12
            _add(sound, i * length + step * length // 8, 0.22 * _pluck(_hz(note), int(2.5 * RATE_HZ)))
    rms = float(np.sqrt(np.mean(np.square(sound))))
    looped: Samples = (sound * (10 ** (-24 / 20) / rms)).astype(np.float32)
    return looped


def _job(var: Path, name: str, language: str, text: str) -> Job:
    voice = default_voice(language)
    digest = hashlib.sha256(f"{voice.id}:{text}".encode()).hexdigest()[:10]
    return Job(text, language, str(folder(var) / f"{name}_{language}-{digest}.wav"), voice=voice.id)


def _hz(midi_note: int) -> float:
    return float(440.0 * 2 ** ((midi_note - 69) / 12))


def _pad(hz: float, length: int) -> Samples:
    """A soft swell, half as long again as `length`, so that chords overlap."""
    t = np.arange(length * 3 // 2)
    envelope = np.sin(np.pi * t / len(t)) ** 2
    wave = np.sin(2 * np.pi * hz * t / RATE_HZ) + 0.3 * np.sin(4 * np.pi * hz * t / RATE_HZ + 0.5)
    samples: Samples = (envelope * wave).astype(np.float32)
    return samples


def _pluck(hz: float, length: int) -> Samples:
    """A struck note dying away."""
    t = np.arange(length) / RATE_HZ
    partials = np.sum([np.sin(2 * np.pi * hz * k * t) / k**2 * np.exp(-1.6 * k * t) for k in (1, 2, 3)], axis=0)
    samples: Samples = (partials * np.minimum(1, t / 0.01) * np.minimum(1, (t[-1] - t) / 0.05)).astype(np.float32)
    return samples


def _add(loop: np.ndarray[tuple[int], np.dtype[np.float64]], at: int, sound: Samples) -> None:
    """Mix `sound` into the loop from `at` on, round its end."""
    np.add.at(loop, (at + np.arange(len(sound))) % len(loop), sound)
