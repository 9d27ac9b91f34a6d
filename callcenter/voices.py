"""The voices that this installation can speak with.

Always there: eSpeak NG's, two of each language. Where the operator has set PIPER_VOICES to a folder of piper's models
(`en_US-amy-medium.onnx` with its `.onnx.json` beside it) and PIPER to its program (default: `piper` on the PATH),
these come first, and the first of a language is the one prompts are spoken with.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

LANGUAGES = ("en", "zh")
_ESPEAK: Mapping[str, tuple[str, ...]] = MappingProxyType({"en": ("f3", "m3"), "zh": ("f2", "m3")})


@dataclass(frozen=True)
class VoiceOf:
    """`id` is what a prompt remembers. `model`: path of piper's model; `variant`: eSpeak NG's timbre."""

    id: str
    engine: str  # piper, espeak
    language: str  # en, zh
    name: str
    variant: str = ""
    model: str = ""


def language_of(tag: str) -> str:
    """The language of LANGUAGES that a tag means ("zh-CN": zh); "" for another."""
    first = tag.lower().replace("_", "-").split("-")[0]
    return "zh" if first == "cmn" else first if first in LANGUAGES else ""


def voices() -> tuple[VoiceOf, ...]:
    """All voices, the preferred one of each language first."""
    return _voices(os.environ.get("PIPER_VOICES", ""), os.environ.get("PIPER", "piper"))


def default_voice(language: str) -> VoiceOf:
    """The voice that speaks `language` (a tag) unless another is chosen. Raises KeyError for a language without one."""
    wanted = language_of(language)
    for voice in voices():
        if voice.language == wanted:
            return voice
    raise KeyError(language)


def voice_by_id(voice_id: str) -> VoiceOf | None:
    """The voice with this id, None if the installation has it not (any more)."""
    return next((v for v in voices() if v.id == voice_id), None)


def piper_program() -> str:
    """What is run for piper's voices."""
    return os.environ.get("PIPER", "piper")


@lru_cache(maxsize=8)
def _voices(folder: str, program: str) -> tuple[VoiceOf, ...]:
    found: list[VoiceOf] = []
    if folder and shutil.which(program):
        for model in sorted(Path(folder).glob("*.onnx")):
            language = language_of(model.stem)
            if language:
                found.append(VoiceOf(f"piper:{model.stem}", "piper", language, model.stem, model=str(model)))
    for language, variants in _ESPEAK.items():
        for variant in variants:
            name = f"eSpeak NG {'female' if variant.startswith('f') else 'male'}"
            found.append(VoiceOf(f"espeak:{language}:{variant}", "espeak", language, name, variant=variant))
    return tuple(found)
