"""Recordings: played (audited), downloaded (audited, by a permission of its own), drawn."""

from __future__ import annotations

from typing import Any

import redis
from flask import Response, request
from flask_smorest import Blueprint

from callcenter.audit.models import record
from callcenter.calls.models import Call, Recording
from callcenter.db.session import tenant_session
from callcenter.events import streams
from callcenter.recordings import audio, peaks
from callcenter.recordings.store import path_of
from dialer.queries import calls as queries
from web.http import current_actor, off_loop, requires, tenant_id
from web.schemas.calls import PeaksSchema

blueprint = Blueprint("recordings", __name__, url_prefix="/api/recordings", description="Recordings")
# A player fetches one playback in many ranges; within this time they are one entry of the audit log.
ONE_PLAYBACK_S = 300


def _audited(recording_id: str, action: str) -> tuple[Recording, Call]:
    actor = current_actor()
    with tenant_session(tenant_id()) as db:
        found, call = queries.recording(db, actor, recording_id)
        if action == "download" or _first_of_playback(recording_id):
            record(db, actor, action, "recording", recording_id, name=call.id)
        return found, call


def _first_of_playback(recording_id: str) -> bool:
    key = f"played:{tenant_id()}:{current_actor().user_id}:{recording_id}"
    try:
        return bool(streams.client().set(key, "1", nx=True, ex=ONE_PLAYBACK_S))
    except redis.RedisError:
        return True  # an entry too many is better than one too few


def _wav(found: Recording) -> Response:
    sound = audio.read(path_of(found))
    length = sound.pcm_length
    try:
        part = audio.pcm_range(request.headers.get("Range"), length)
    except audio.RangeUnsatisfiable:
        return Response(status=416, headers={"Content-Range": f"bytes */{length}", "Accept-Ranges": "bytes"})
    start, stop = part or (0, length)
    headers = {
        "Content-Length": str(stop - start),
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
    }
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{length}"
    body = sound.pcm(start, stop) if request.method != "HEAD" else b""
    return Response(body, 206 if part is not None else 200, headers, mimetype="audio/wav", direct_passthrough=True)


@blueprint.get("/<recording_id>/audio")
@requires("recordings.play")
@blueprint.response(200, content_type="audio/wav", description="16-bit PCM, 8 kHz, left the agent, right the customer")
@blueprint.alt_response(206, description="The range that was asked for")
def play(recording_id: str) -> Response:
    """The sound, whole or a range. Also of a call that still lasts, as far as it has come."""
    found, _ = _audited(recording_id, "play")
    return _wav(found)


@blueprint.get("/<recording_id>/download")
@requires("recordings.download")
@blueprint.response(200, content_type="audio/wav", description="The same sound as a file to keep")
def download(recording_id: str) -> Response:
    """The recording as a file."""
    found, call = _audited(recording_id, "download")
    response = _wav(found)
    name = f"{call.started_at:%Y%m%d-%H%M%S}-{call.id}.wav"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@blueprint.get("/<recording_id>/peaks")
@requires("recordings.play")
@blueprint.response(200, PeaksSchema)
def waveform(recording_id: str) -> Any:
    """The waveform of both channels, at most 800 slices."""
    with tenant_session(tenant_id()) as db:
        found, _ = queries.recording(db, current_actor(), recording_id)
    return off_loop(peaks.of, audio.read(path_of(found)))
