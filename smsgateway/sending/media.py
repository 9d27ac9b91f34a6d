"""Pictures for MMS: what is uploaded is looked into, cleaned and kept under `var/text-media/{enterprise}`.

A picture is what its content says, whatever its name. It is decoded as a whole and written anew, so that places,
cameras, thumbnails and anything hidden behind the picture are gone; one that unpacks to too much is refused before it
is unpacked. Beside it lies a document that describes it. Resizing to a carrier's limit is that carrier's affair. What
no send and no template uses is removed when nobody has asked for it for KEEP_DAYS.
"""

from __future__ import annotations

import io
import os
import re
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from PIL import Image, ImageOps, ImageSequence
from sqlalchemy import text
from sqlalchemy.orm import Session

from callcenter import config, ids
from callcenter.audit.models import Actor, record
from callcenter.db.session import tenant_session
from callcenter.errors import InvalidInput, NotFound
from smsgateway.sending import claims
from smsgateway.sending.files import at_once

MAX_BYTES: Final = 5 * 1024 * 1024
MAX_PIXELS: Final = 40_000_000
MAX_FRAMES: Final = 200
MAX_ALL_BYTES: Final = 10 * 1024 * 1024  # of one MMS
_FORMATS: Final = {"JPEG": ("image/jpeg", "jpg"), "PNG": ("image/png", "png"), "GIF": ("image/gif", "gif")}
_TAKEN: Final = (*_FORMATS, "WEBP")  # WebP becomes JPEG or PNG: few telephones show it in an MMS
KEEP_DAYS: Final = 7
_ID: Final = re.compile(r"[0-9A-Za-z]{10,40}")

_USED: Final = text("""
SELECT m ->> 'id' FROM text_send s, jsonb_array_elements(s.media) m WHERE s.media <> '[]'
UNION SELECT m ->> 'id' FROM text_template t, jsonb_array_elements(t.media) m WHERE t.media <> '[]'
""")


@dataclass(frozen=True)
class Media:
    """A kept picture. `path` relative to the var directory."""

    id: str
    path: str
    type: str
    name: str
    size_bytes: int
    width: int | None = None
    height: int | None = None


def new_id() -> str:
    """A name for an upload."""
    return ids.new_id()


def _folder(tenant_id: int) -> Path:
    return config.load().var / "text-media" / str(tenant_id)


def upload_path(tenant_id: int, media_id: str) -> Path:
    """Where an upload lies until it has been looked into."""
    return _folder(tenant_id) / f"{media_id}.upload"


def path_of(media: Media) -> Path:
    """The file of a kept picture."""
    return config.load().var / media.path


def register(actor: Actor, media_id: str, name: str, aside: Callable[..., Any] = at_once) -> Media:
    """Look into an upload and keep it, cleaned. Raises InvalidInput with the field `file`. `aside` as in `files`."""
    upload = upload_path(actor.tenant_id, media_id)
    try:
        content, kind, extension, size = aside(cleaned, upload.read_bytes())
    finally:
        upload.unlink(missing_ok=True)
    base = re.sub(r"[^\w.\- ]+", "_", Path(name).stem).strip("_ ")[:80] or "picture"
    stored = f"text-media/{actor.tenant_id}/{media_id}.{extension}"
    media = Media(media_id, stored, kind, f"{base}.{extension}", len(content), *size)
    path_of(media).write_bytes(content)
    _about(actor.tenant_id, media_id).write_bytes(msgspec.json.encode(media))
    with tenant_session(actor.tenant_id) as session:
        after = {"type": kind, "size_bytes": len(content)}
        record(session, actor, "upload", "text_media", media_id, name=media.name, after=after)
    return media


def cleaned(raw: bytes) -> tuple[bytes, str, str, tuple[int, int]]:
    """(content without metadata, MIME type, extension, (width, height)) of a picture. Raises InvalidInput."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(raw), formats=_TAKEN) as probe:
                width, height = probe.size
                frames = getattr(probe, "n_frames", 1)
                if width * height * frames > MAX_PIXELS * 4 or width * height > MAX_PIXELS or frames > MAX_FRAMES:
                    raise _wrong("media_too_large", "The picture has too many pixels. Make it smaller.")
                probe.verify()
            with Image.open(io.BytesIO(raw), formats=_TAKEN) as image:
                image.load()
                return _written(image, str(image.format))
    except InvalidInput:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _wrong("media_too_large", "The picture has too many pixels. Make it smaller.") from None
    except Exception:  # decoders of broken files raise whatever comes to them
        raise _wrong(
            "media_not_a_picture", "This is no picture that an MMS can hold. Choose a JPEG, PNG or GIF."
        ) from None


def _written(image: Image.Image, found: str) -> tuple[bytes, str, str, tuple[int, int]]:
    out = io.BytesIO()
    if found == "GIF":
        pictures = [frame.copy() for frame in ImageSequence.Iterator(image)]
        times = [int(frame.info.get("duration", 100)) for frame in pictures]
        for frame in pictures:
            frame.info.clear()
        loop = image.info.get("loop", 0)
        pictures[0].save(out, "GIF", save_all=True, append_images=pictures[1:], duration=times, loop=loop, comment=b"")
        size = pictures[0].size
    else:
        upright = ImageOps.exif_transpose(image)  # how it is to be held stands in what is taken away
        upright.info.clear()
        clear = upright.mode in ("RGBA", "LA", "PA") or (upright.mode == "P" and "transparency" in image.info)
        found = ("PNG" if clear else "JPEG") if found == "WEBP" else found
        if found == "JPEG":
            upright.convert("L" if upright.mode == "L" else "RGB").save(out, "JPEG", quality=88, optimize=True)
        else:
            upright.convert("RGBA" if clear else "RGB").save(out, "PNG", optimize=True)
        size = upright.size
    kind, extension = _FORMATS[found]
    return out.getvalue(), kind, extension, size


def _wrong(code: str, sentence: str) -> InvalidInput:
    return InvalidInput(sentence, code=code, fields={"file": sentence})


def _about(tenant_id: int, media_id: str) -> Path:
    return _folder(tenant_id) / f"{media_id}.json"


def _gone() -> NotFound:
    return NotFound("The picture is gone. Upload it again.", code="media_gone")


def find(tenant_id: int, media_id: str) -> Media:
    """A kept picture of the enterprise. Raises NotFound."""
    path = _about(tenant_id, media_id) if _ID.fullmatch(media_id) else None
    if path is None or not path.exists():
        raise _gone()
    return msgspec.json.decode(path.read_bytes(), type=Media)


def resolve(
    session: Session, tenant_id: int, media_ids: Iterable[str], stored: Iterable[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """The pictures as a send or a template keeps them, those that a template has `stored` behind the others. They stay
    until the end of the session's transaction, and for good if it uses them. Raises InvalidInput (field `media`)."""
    wanted = [*media_ids, *(str(m.get("id", "")) for m in stored)]
    if not wanted:
        return []
    claims.using_pictures(session, tenant_id)
    try:
        found = [find(tenant_id, i) for i in wanted]
        for i in wanted:  # a text is being written with it
            os.utime(_about(tenant_id, i))
    except (NotFound, FileNotFoundError) as gone:
        error = gone if isinstance(gone, NotFound) else _gone()
        raise InvalidInput("Check the marked fields.", code=error.code, fields={"media": error.message}) from None
    if sum(m.size_bytes for m in found) > MAX_ALL_BYTES:
        raise InvalidInput(
            "Check the marked fields.", fields={"media": "All pictures together are too large. Take some out."}
        )
    return [msgspec.to_builtins(m) for m in found]


def sweep(before: float | None = None) -> int:
    """Remove the pictures, and what broken uploads left, that nobody has asked for since `before` (seconds since the
    epoch; KEEP_DAYS ago) and no send or template uses; returns how many files."""
    before = time.time() - KEEP_DAYS * 86400 if before is None else before
    removed = 0
    for folder in (config.load().var / "text-media").glob("[0-9]*"):
        if _old(folder, before):
            with tenant_session(int(folder.name)) as session:
                claims.sweeping_pictures(session, int(folder.name))
                used = set(session.scalars(_USED))
                for media_id, files in _old(folder, before).items():  # again: somebody may have asked meanwhile
                    if media_id not in used:
                        for path in files:
                            path.unlink(missing_ok=True)
                        removed += len(files)
    return removed


def _old(folder: Path, before: float) -> dict[str, list[Path]]:
    """The files of each picture that is not asked for any more, the document first."""
    files: dict[str, list[Path]] = {}
    young: set[str] = set()
    for path in sorted(folder.iterdir(), key=lambda p: p.suffix != ".json"):
        media_id = path.name.split(".")[0]
        files.setdefault(media_id, []).append(path)
        try:
            if path.stat().st_mtime >= before:
                young.add(media_id)
        except FileNotFoundError:
            continue
    return {i: paths for i, paths in files.items() if i not in young}


def shown(stored: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Kept pictures as the API shows them."""
    return [
        {
            "id": str(m.get("id", "")), "name": m.get("name", ""), "type": m.get("type", ""),
            "size_bytes": int(m.get("size_bytes", 0)), "width": m.get("width"), "height": m.get("height"),
        }
        for m in stored
    ]  # fmt: skip
