"""Recordings come to rest: from `live/` into `store/{tenant}/{year}/{month}/{day}/{call}.wav`.

`store` runs as a job when the media process has closed a file, `recover` every minute for what no such word came of
(the media process or the engine was killed). Both may be killed and repeated at any point: the file is mended in place,
made durable, moved by one rename, and the row follows. Between rename and row the target itself tells how far it came.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter import config
from callcenter.calls.models import Recording
from callcenter.clock import utc_now
from callcenter.db.session import platform_session, tenant_session
from callcenter.errors import AppError
from callcenter.recordings import audio
from callcenter.telephony.media.recording import CHANNELS, header, parse_header

log = logging.getLogger(__name__)
QUIET_S = 60.0  # a file that was not written for so long does not grow any more
_OPEN_STATES = ("growing", "closed")
_BLOCK_BYTES = 1 << 20


def path_of(recording: Recording) -> Path:
    """Where the file of `recording` lies. Raises RecordingMissing if the row points outside the recordings."""
    root = config.load().recordings_dir.resolve()
    path = (root / recording.path).resolve()
    if not path.is_relative_to(root):
        raise audio.RecordingMissing("The recording's file is not there.")
    return path


def store(recording_id: str) -> str:
    """Bring one recording to rest. Returns its state afterwards: stored, or lost if there is no file; "" if unknown."""
    with platform_session() as session:
        tenant_id = session.scalar(select(Recording.tenant_id).where(Recording.id == recording_id))
    if tenant_id is None:
        return ""
    with tenant_session(tenant_id) as session:
        # The lock keeps a second job for the same recording waiting until this one's row is written.
        row = session.scalars(select(Recording).where(Recording.id == recording_id).with_for_update()).one_or_none()
        if row is None:
            return ""
        if row.state == "stored" or row.deleted_at is not None:
            return row.state
        _bring_to_rest(session, row)
        return row.state


def recover(quiet_s: float = QUIET_S) -> list[str]:
    """Bring to rest every recording that is not stored and whose file has not grown for `quiet_s` seconds. Returns
    their ids."""
    with platform_session() as session:
        rows = session.execute(
            select(Recording.id, Recording.path)
            .where(Recording.state.in_(_OPEN_STATES), Recording.deleted_at.is_(None))
            .where(Recording.started_at < utc_now() - timedelta(seconds=quiet_s))
            .order_by(Recording.id)
        ).all()
    root = config.load().recordings_dir
    done: list[str] = []
    for recording_id, path in rows:
        if _grows(root / path, quiet_s):
            continue
        try:
            store(recording_id)
            done.append(recording_id)
        except (OSError, AppError):
            log.exception("recording %s can't be stored; it is tried again", recording_id)
    return done


def _grows(path: Path, quiet_s: float) -> bool:
    try:
        return time.time() - path.stat().st_mtime < quiet_s
    except OSError:
        return False


def _bring_to_rest(session: Session, row: Recording) -> None:
    root = config.load().recordings_dir.resolve()
    live = path_of(row)
    target = root / _place(session, row)
    if live != target and live.is_file():
        if target.exists():  # never overwrite: a file of this name is somebody's recording
            target = target.with_name(f"{target.stem}-{row.id}.wav")
        _mend(live)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        live.replace(target)
        for folder in (target.parent, live.parent):
            _sync(folder)
        _peaks_of(live).unlink(missing_ok=True)
    elif not target.is_file():
        own_name = target.with_name(f"{target.stem}-{row.id}.wav")
        if not own_name.is_file():
            row.state = "lost"
            log.error("recording %s of call %s is lost: no file", row.id, row.call_id)
            return
        target = own_name
    row.path = str(target.relative_to(root))
    row.size_bytes = target.stat().st_size
    row.sha256 = _sha256(target)
    row.seconds = _seconds(target)
    row.state = "stored"


def _place(session: Session, row: Recording) -> str:
    """The place at rest, relative to the root; the same whenever it is asked for. A call's second recording carries
    its own id as well."""
    first = session.scalar(select(Recording.id).where(Recording.call_id == row.call_id).order_by(Recording.id).limit(1))
    name = row.call_id if first == row.id else f"{row.call_id}-{row.id}"
    return f"store/{row.tenant_id}/{row.started_at:%Y/%m/%d}/{name}.wav"


def _mend(path: Path) -> None:
    """Write the true sizes into the header (a killed writer left old ones) and make the file durable."""
    with path.open("r+b") as file:
        info = parse_header(file.read(256))
        size = file.seek(0, os.SEEK_END)
        if info is not None:
            data = max(0, size - info.data_start) // CHANNELS * CHANNELS
            fresh = header(data)
            if len(fresh) == info.data_start:
                file.truncate(info.data_start + data)
                file.seek(0)
                file.write(fresh)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _seconds(path: Path) -> float | None:
    try:
        return round(audio.read(path).seconds, 3)
    except AppError:
        return None  # not audio of ours: kept as it is, and the player says so


def _peaks_of(path: Path) -> Path:
    return path.with_name(path.name + ".peaks")
