"""Add, replace, rename and delete prompts of an enterprise. What changes is in the audit log, and the engine is told.

A sound is written to disk before its row commits; what is left behind by one that did not, and by one that was
replaced, is swept a day later, when no call can play it any more.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter import config
from callcenter.audit.models import Actor, record
from callcenter.db.outbox import settings_changed
from callcenter.errors import Conflict, InvalidInput, NotFound
from callcenter.ids import new_id
from callcenter.prompts import queries
from callcenter.prompts.decode import to_prompt
from callcenter.prompts.models import Prompt, PromptKind
from callcenter.prompts.names import MAX_TEXT
from callcenter.speech import RATE_HZ, synthesise_many
from callcenter.speech import Job as Speech
from callcenter.voices import default_voice, language_of, voice_by_id

MAX_NAME = 80
LEFT_BEHIND_S = 86_400.0
_HEADER_BYTES = 44


@dataclass(frozen=True)
class Sound:
    """A WAV of ours on disk, not yet anybody's: `path` absolute."""

    path: Path
    seconds: float
    kind: PromptKind
    text: str = ""
    voice: str = ""


def from_upload(tenant: int, file: Path, kind: PromptKind) -> Sound:
    """The sound of an uploaded file. Raises InvalidInput (what is wrong with it), Unavailable."""
    target = folder(tenant) / f".{new_id()}.wav"
    return Sound(target, to_prompt(file, target), kind)


def speak(tenant: int, text: str, language: str, voice_id: str = "") -> Sound:
    """`text` spoken. Raises InvalidInput (no text, too long, no such voice or language), SpeechFailed."""
    text = " ".join(text.split())
    wrong: dict[str, str] = {}
    if not text:
        wrong["text"] = "Write what is to be said."
    elif len(text) > MAX_TEXT:
        wrong["text"] = f"Keep it under {MAX_TEXT} characters."
    spoken = language_of(language)
    if not spoken:
        wrong["language"] = "Choose English or Chinese."
    voice = voice_by_id(voice_id) if voice_id else default_voice(spoken) if spoken else None
    if spoken and (voice is None or voice.language != spoken):
        wrong["voice"] = "Choose a voice of this language."
    if wrong or voice is None:
        raise InvalidInput("Check the marked fields.", fields=wrong)
    target = folder(tenant) / f".{new_id()}.wav"
    synthesise_many([Speech(text, spoken, str(target), voice=voice.id)])
    seconds = (target.stat().st_size - _HEADER_BYTES) / 2 / RATE_HZ
    return Sound(target, round(seconds, 3), PromptKind.SPOKEN, text, voice.id)


def add(session: Session, actor: Actor, name: str, language: str, sound: Sound, *, text: str = "") -> Prompt:
    """A new prompt. Raises InvalidInput (name, language)."""
    _check(session, name, language, None)
    prompt = Prompt(name=name.strip(), language=language_of(language), kind=sound.kind, created_by=actor.user_id)
    prompt.text = sound.text or text.strip()[:MAX_TEXT]
    _settle(actor.tenant_id, prompt, sound)
    session.add(prompt)
    session.flush()
    session.refresh(prompt)
    record(session, actor, "create", "prompt", prompt.id, name=prompt.name, after=_values(prompt))
    settings_changed(session, "prompt", prompt.id)
    return prompt


def replace(session: Session, actor: Actor, prompt_id: int, sound: Sound) -> Prompt:
    """Another sound for a prompt; whoever plays it plays the new one from the next call on. Raises NotFound."""
    prompt = find(session, prompt_id)
    before = _values(prompt)
    prompt.kind = sound.kind
    prompt.text = sound.text
    _settle(actor.tenant_id, prompt, sound)
    session.flush()
    session.refresh(prompt)
    record(session, actor, "update", "prompt", prompt.id, name=prompt.name, before=before, after=_values(prompt))
    settings_changed(session, "prompt", prompt.id)
    return prompt


def change(session: Session, actor: Actor, prompt_id: int, name: str, language: str) -> Prompt:
    """Another name or language. Raises NotFound, InvalidInput."""
    prompt = find(session, prompt_id)
    before = _values(prompt)
    _check(session, name, language, prompt_id)
    prompt.name, prompt.language = name.strip(), language_of(language)
    session.flush()
    session.refresh(prompt)
    record(session, actor, "update", "prompt", prompt.id, name=prompt.name, before=before, after=_values(prompt))
    settings_changed(session, "prompt", prompt.id)
    return prompt


def delete(session: Session, actor: Actor, prompt_id: int) -> None:
    """Delete a prompt that nothing plays. Raises NotFound, Conflict (`params["uses"]` says what plays it)."""
    prompt = find(session, prompt_id)
    used = queries.uses(session, prompt_id)
    if used:
        names = ", ".join(f"{u.name}" for u in used[:5])
        raise Conflict(
            f"The prompt is played by {names}. Choose another there first.",
            code="prompt_used",
            params={"uses": [{"kind": u.kind, "id": u.id, "name": u.name} for u in used], "names": names},
        )
    record(session, actor, "delete", "prompt", prompt.id, name=prompt.name, before=_values(prompt))
    settings_changed(session, "prompt", prompt.id)
    session.delete(prompt)
    session.flush()
    _sweep(session, actor.tenant_id)


def find(session: Session, prompt_id: int) -> Prompt:
    """The prompt. Raises NotFound."""
    prompt = session.get(Prompt, prompt_id)
    if prompt is None:
        raise NotFound("There is no such prompt.")
    return prompt


def folder(tenant: int) -> Path:
    """Where the enterprise's prompts lie."""
    made = config.load().var / "prompts" / str(tenant)
    made.mkdir(parents=True, exist_ok=True)
    return made


def file_of(prompt: Prompt) -> Path:
    """The sound of a prompt. Raises NotFound if the file is gone."""
    var = config.load().var.resolve()
    path = (var / prompt.path).resolve()
    if not path.is_relative_to(var / "prompts") or not path.is_file():
        raise NotFound("The prompt's sound is not there.", code="prompt_missing")
    return path


def _settle(tenant: int, prompt: Prompt, sound: Sound) -> None:
    """The file gets its name for good; it is the same for the same sound."""
    digest = hashlib.sha256(sound.path.read_bytes()).hexdigest()
    target = folder(tenant) / f"{digest[:32]}.wav"
    sound.path.replace(target)
    prompt.path = str(target.relative_to(config.load().var))
    prompt.sha256, prompt.seconds, prompt.voice = digest, sound.seconds, sound.voice


def _check(session: Session, name: str, language: str, own_id: int | None) -> None:
    wrong: dict[str, str] = {}
    if not 0 < len(name.strip()) <= MAX_NAME:
        wrong["name"] = f"Give a name of at most {MAX_NAME} characters."
    elif session.scalar(select(Prompt.id).where(Prompt.name == name.strip(), Prompt.id != (own_id or 0))) is not None:
        wrong["name"] = "Another prompt has this name."
    if language and not language_of(language):
        wrong["language"] = "Choose English, Chinese, or none for music."
    if wrong:
        raise InvalidInput("Check the marked fields.", fields=wrong)


def _values(prompt: Prompt) -> dict[str, Any]:
    return {n: getattr(prompt, n) for n in ("name", "language", "kind", "text", "voice", "seconds", "sha256")}


def _sweep(session: Session, tenant: int) -> None:
    """Files of the enterprise that no prompt names and that nobody has touched for a day."""
    named = {Path(path).name for path in session.scalars(select(Prompt.path))}
    before = time.time() - LEFT_BEHIND_S
    for file in folder(tenant).glob("*.wav"):
        if file.name not in named and file.stat().st_mtime < before:
            file.unlink(missing_ok=True)
    for file in folder(tenant).glob(".*.wav"):
        if file.stat().st_mtime < before:
            file.unlink(missing_ok=True)
