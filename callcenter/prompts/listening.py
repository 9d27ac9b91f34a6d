"""Prompts that come with the installation, for who wants to hear one in the browser."""

from __future__ import annotations

from pathlib import Path

from callcenter.prompts import names, wav
from callcenter.prompts.installed import TEXTS, ensure_prompts
from callcenter.telephony.media import prompts as sounds
from callcenter.telephony.media.g711 import ulaw_to_linear
from callcenter.voices import language_of

TONES = ("tone:beep", "tone:ringback", "tone:busy")


def installed_names() -> list[str]:
    """Their names, as flows and queues call them."""
    return ["hold_music", *TEXTS]


def wav_of(var: Path, name: names.Name, language: str) -> bytes | None:
    """A WAV (PCM16, for browsers play no µ-law) of an installed prompt, a tone or a silence; None if there is none."""
    match name:
        case names.Installed(name=installed):
            made = ensure_prompts(var)
            path = made.get(installed) or made.get(f"{installed}_{language_of(language) or 'en'}")
            return path.read_bytes() if path is not None else None
        case names.Tone(name=tone):
            return wav.as_pcm_wav(ulaw_to_linear(sounds.tone(tone)).tobytes()) if tone in TONES else None
        case names.Silence(ms=ms):
            return wav.as_pcm_wav(b"\0\0" * (8 * ms))
    return None
