"""Pictures made as small as a carrier wants them. Pure: bytes in, bytes out."""

from __future__ import annotations

import io
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS: Final = 40_000_000  # more is a bomb, or of no use on a telephone
FORMATS: Final = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif"}
_QUALITIES: Final = (85, 75, 65, 55, 45, 35)
_SHRINK: Final = 0.75
_LEAST_SIDE: Final = 64


class NoPicture(ValueError):
    """The bytes are no picture that a telephone shows, or too large a one; the text is for people."""


def _opened(raw: bytes) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(raw), formats=list(FORMATS))
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        raise NoPicture("This is no JPEG, PNG or GIF picture. Choose another file.") from None
    if picture.width * picture.height > MAX_PIXELS:
        picture.close()
        raise NoPicture(f"The picture has more than {MAX_PIXELS // 1_000_000} million points. Make it smaller.")
    return picture


def fit(raw: bytes, max_bytes: int, max_side: int) -> tuple[bytes, str]:
    """`raw` within `max_bytes` and `max_side` pixels, and its MIME type. What fits is left as it is, a GIF's pictures
    too; else it becomes a JPEG, upright, without what a camera wrote into it. Raises NoPicture."""
    with _opened(raw) as picture:
        kind = FORMATS[picture.format or ""]
        if len(raw) <= max_bytes and max(picture.size) <= max_side:
            return raw, kind
        try:
            upright = ImageOps.exif_transpose(picture)
            flat = Image.new("RGB", upright.size, "white")
            flat.paste(upright.convert("RGBA"), mask=upright.convert("RGBA").getchannel("A"))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            raise NoPicture("The picture is damaged. Choose another file.") from None
    flat.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    while max(flat.size) >= _LEAST_SIDE:
        for quality in _QUALITIES:
            out = io.BytesIO()
            flat.save(out, "JPEG", quality=quality, optimize=True)
            if out.tell() <= max_bytes:
                return out.getvalue(), "image/jpeg"
        size = (max(1, int(flat.width * _SHRINK)), max(1, int(flat.height * _SHRINK)))
        flat = flat.resize(size, Image.Resampling.LANCZOS)
    raise NoPicture("The picture can't be made small enough. Choose another file.")
