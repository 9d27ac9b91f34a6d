"""How a prompt is named, wherever one is chosen: in flows, queues, numbers and boxes. Pure.

prompt:12                  the enterprise's prompt 12
say:en:Good morning        spoken by the installation's voice of that language
tone:beep                  tone:beep, tone:busy, tone:ringback
silence, silence:500       a second, or so many milliseconds
hold_music, thanks         one that comes with the installation; in the caller's language where it has several
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_TEXT = 2000
MAX_SILENCE_MS = 60_000


class BadName(ValueError):
    """A string that names no prompt."""


@dataclass(frozen=True)
class OfEnterprise:
    id: int


@dataclass(frozen=True)
class Spoken:
    """`language` as it was given, "" for the caller's."""

    language: str
    text: str


@dataclass(frozen=True)
class Tone:
    """`name` as the media process knows it: "tone:beep"."""

    name: str


@dataclass(frozen=True)
class Silence:
    ms: int


@dataclass(frozen=True)
class Installed:
    name: str


Name = OfEnterprise | Spoken | Tone | Silence | Installed


def parse(prompt: str) -> Name:
    """What `prompt` names. Raises BadName."""
    kind, colon, rest = prompt.partition(":")
    if kind == "prompt" and colon:
        if not (rest.isascii() and rest.isdigit() and len(rest) < 19):
            raise BadName(f"{prompt[:60]!r}: a prompt's number is wanted")
        return OfEnterprise(int(rest))
    if kind == "say" and colon:
        language, second, text = rest.partition(":")
        if not second or not text.strip():
            raise BadName(f"{prompt[:60]!r}: say:<language>:<text> is wanted")
        return Spoken(language.strip().lower(), " ".join(text.split())[:MAX_TEXT])
    if kind == "tone" and colon and rest:
        return Tone(prompt)
    if kind == "silence":
        if colon and not (rest.isascii() and rest.isdigit() and len(rest) < 9):
            raise BadName(f"{prompt[:60]!r}: milliseconds are wanted")
        return Silence(min(int(rest), MAX_SILENCE_MS) if colon else 1000)
    if not prompt or not prompt.replace("_", "").replace("-", "").isalnum():
        raise BadName(f"{prompt[:60]!r} names no prompt")
    return Installed(prompt)
