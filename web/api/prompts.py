"""Prompts: what callers hear, uploaded, recorded in the browser, or spoken by the installation's voices."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from flask import Response, send_file
from flask_smorest import Blueprint

from callcenter import config
from callcenter.db.session import tenant_session
from callcenter.errors import InvalidInput, NotFound
from callcenter.prompts import actions, listening, names, queries
from callcenter.prompts.decode import MAX_BYTES
from callcenter.prompts.models import Prompt, PromptKind
from callcenter.voices import voices
from web.http import current_actor, paged, requires, tenant_id
from web.schemas.prompts import (
    ListenQuery,
    NewPromptSchema,
    PromptChangesSchema,
    PromptChoicesSchema,
    PromptPageSchema,
    PromptReplaceQuery,
    PromptSchema,
    PromptsQuery,
    PromptUploadQuery,
    PromptUsesSchema,
    SpeakSchema,
)
from web.uploads import TooLarge, store

blueprint = Blueprint("prompts", __name__, url_prefix="/api/prompts", description="Prompts")
WAV = "audio/wav"


def _sound(path: Path, *, tag: str = "") -> Response:
    response = send_file(path, mimetype=WAV, conditional=True, etag=tag or False, max_age=0)
    response.headers["Cache-Control"] = "private, no-cache" if tag else "private, no-store"
    return response


def _uploaded(kind: str) -> actions.Sound:
    with tempfile.TemporaryDirectory(dir=actions.folder(tenant_id())) as scratch:
        path = Path(scratch) / "sound.upload"
        try:
            store(path, MAX_BYTES)
        except TooLarge:
            limit = MAX_BYTES >> 20
            raise TooLarge(
                f"The sound is larger than {limit} MB.",
                code="sound_too_large",
                fields={"file": f"Give a file of at most {limit} MB."},
                params={"mb": limit},
            ) from None
        return actions.from_upload(tenant_id(), path, PromptKind(kind))


@blueprint.get("")
@requires("prompts.read")
@blueprint.arguments(PromptsQuery, location="query")
@blueprint.response(200, PromptPageSchema)
def list_prompts(args: dict[str, Any]) -> dict[str, Any]:
    """The enterprise's prompts by name."""
    query = queries.listed(search=args["search"], language=args.get("language"), kind=args.get("kind"))
    with tenant_session(tenant_id()) as db:
        return paged(db, query, args)


@blueprint.post("")
@requires("prompts.write")
@blueprint.arguments(NewPromptSchema)
@blueprint.response(201, PromptSchema)
def post_prompt(given: dict[str, Any]) -> Prompt:
    """Have a text spoken and keep it."""
    sound = actions.speak(tenant_id(), given["text"], given["language"], given["voice"])
    with tenant_session(tenant_id()) as db:
        return actions.add(db, current_actor(), given["name"], given["language"], sound)


@blueprint.post("/upload")
@requires("prompts.write")
@blueprint.arguments(PromptUploadQuery, location="query")
@blueprint.response(201, PromptSchema)
def upload_prompt(args: dict[str, Any]) -> Prompt:
    """A new prompt of a sound file: the body of the request is its content (WAV, MP3, OGG, WebM, M4A; 30 MB)."""
    sound = _uploaded(args["kind"])
    with tenant_session(tenant_id()) as db:
        return actions.add(db, current_actor(), args["name"], args["language"], sound, text=args["text"])


@blueprint.get("/choices")
@requires("prompts.read")
@blueprint.response(200, PromptChoicesSchema)
def get_prompt_choices() -> dict[str, Any]:
    """The voices of this installation, and the prompts that come with it."""
    return {"voices": list(voices()), "installed": listening.installed_names()}


@blueprint.post("/speak")
@requires("prompts.write")
@blueprint.arguments(SpeakSchema)
@blueprint.response(200, content_type=WAV, description="The text, spoken; nothing is kept")
def speak_text(given: dict[str, Any]) -> Response:
    """Hear a text before it is saved."""
    sound = actions.speak(tenant_id(), given["text"], given["language"], given["voice"])
    try:
        return Response(sound.path.read_bytes(), mimetype=WAV, headers={"Cache-Control": "private, no-store"})
    finally:
        sound.path.unlink(missing_ok=True)


@blueprint.get("/listen")
@requires("prompts.read")
@blueprint.arguments(ListenQuery, location="query")
@blueprint.response(200, content_type=WAV, description="What a caller would hear")
def listen(args: dict[str, Any]) -> Response:
    """Hear any prompt by the name that flows and queues call it by."""
    try:
        name = names.parse(args["prompt"])
    except names.BadName:
        raise InvalidInput("No prompt is called so.", fields={"prompt": "Choose a prompt."}) from None
    if isinstance(name, names.OfEnterprise):
        with tenant_session(tenant_id()) as db:
            prompt = actions.find(db, name.id)
            return _sound(actions.file_of(prompt), tag=prompt.sha256)
    if isinstance(name, names.Spoken):
        sound = actions.speak(tenant_id(), name.text, name.language or args["language"])
        try:
            return Response(sound.path.read_bytes(), mimetype=WAV, headers={"Cache-Control": "private, no-store"})
        finally:
            sound.path.unlink(missing_ok=True)
    heard = listening.wav_of(config.load().var, name, args["language"])
    if heard is None:
        raise NotFound("There is no such prompt.")
    return Response(heard, mimetype=WAV, headers={"Cache-Control": "private, max-age=3600"})


@blueprint.get("/<int:prompt_id>")
@requires("prompts.read")
@blueprint.response(200, PromptSchema)
def get_prompt(prompt_id: int) -> Prompt:
    """One prompt."""
    with tenant_session(tenant_id()) as db:
        return actions.find(db, prompt_id)


@blueprint.patch("/<int:prompt_id>")
@requires("prompts.write")
@blueprint.arguments(PromptChangesSchema)
@blueprint.response(200, PromptSchema)
def patch_prompt(given: dict[str, Any], prompt_id: int) -> Prompt:
    """Another name or language."""
    with tenant_session(tenant_id()) as db:
        return actions.change(db, current_actor(), prompt_id, given["name"], given["language"])


@blueprint.put("/<int:prompt_id>/audio")
@requires("prompts.write")
@blueprint.arguments(PromptReplaceQuery, location="query")
@blueprint.response(200, PromptSchema)
def replace_prompt(args: dict[str, Any], prompt_id: int) -> Prompt:
    """Another sound: the body of the request is the file's content."""
    with tenant_session(tenant_id()) as db:
        actions.find(db, prompt_id)  # before a file is read in vain
    sound = _uploaded(args["kind"])
    with tenant_session(tenant_id()) as db:
        return actions.replace(db, current_actor(), prompt_id, sound)


@blueprint.put("/<int:prompt_id>/text")
@requires("prompts.write")
@blueprint.arguments(SpeakSchema)
@blueprint.response(200, PromptSchema)
def respeak_prompt(given: dict[str, Any], prompt_id: int) -> Prompt:
    """Another text, spoken in place of the sound."""
    with tenant_session(tenant_id()) as db:
        actions.find(db, prompt_id)
    sound = actions.speak(tenant_id(), given["text"], given["language"], given["voice"])
    with tenant_session(tenant_id()) as db:
        return actions.replace(db, current_actor(), prompt_id, sound)


@blueprint.get("/<int:prompt_id>/audio")
@requires("prompts.read")
@blueprint.response(200, content_type=WAV, description="8 kHz, mono, 16 bits")
@blueprint.alt_response(206, description="The range that was asked for")
@blueprint.alt_response(304, description="Not changed")
def prompt_audio(prompt_id: int) -> Response:
    """The sound of a prompt, whole or a range."""
    with tenant_session(tenant_id()) as db:
        prompt = actions.find(db, prompt_id)
        return _sound(actions.file_of(prompt), tag=prompt.sha256)


@blueprint.get("/<int:prompt_id>/uses")
@requires("prompts.read")
@blueprint.response(200, PromptUsesSchema)
def prompt_uses(prompt_id: int) -> dict[str, Any]:
    """What plays this prompt."""
    with tenant_session(tenant_id()) as db:
        actions.find(db, prompt_id)
        return {"uses": queries.uses(db, prompt_id)}


@blueprint.delete("/<int:prompt_id>")
@requires("prompts.write")
@blueprint.response(204)
def delete_prompt(prompt_id: int) -> None:
    """Delete a prompt that nothing plays."""
    with tenant_session(tenant_id()) as db:
        actions.delete(db, current_actor(), prompt_id)
