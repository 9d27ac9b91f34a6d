"""Files sent as the body of a request, written to disk as they come, so that 5 GB take no memory."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from flask import request

from callcenter.errors import AppError, InvalidInput, Unavailable

_BLOCK = 256 * 1024
_SPARE_BYTES = 1 << 30  # left free on the disk for everything else


class TooLarge(AppError):
    """The file is larger than the installation takes."""

    code = "file_too_large"
    status = 413


def limit_bytes() -> int:
    """The largest upload (IMPORT_MAX_BYTES; 6 GiB by default)."""
    return int(os.environ.get("IMPORT_MAX_BYTES", str(6 << 30)))


def store(target: Path, limit: int) -> int:
    """Write the request's body to `target`, whole or not at all; returns its size.

    Raises TooLarge, InvalidInput (empty, or cut off on the way), Unavailable (the disk is full).
    """
    request.max_content_length = limit
    announced = request.content_length
    if announced is not None and announced > limit:
        raise _too_large(limit)
    target.parent.mkdir(parents=True, exist_ok=True)
    if (announced or 0) + _SPARE_BYTES > shutil.disk_usage(target.parent).free:
        raise Unavailable("The server's disk is full. Tell your operator.", code="disk_full")
    part = target.with_suffix(".part")
    size = 0
    try:
        with part.open("wb") as f:
            while block := request.stream.read(_BLOCK):
                size += len(block)
                if size > limit:
                    raise _too_large(limit)
                f.write(block)
        if size == 0:
            raise InvalidInput(
                "The file is empty.", code="file_empty", fields={"file": "Choose a file with rows in it."}
            )
        if announced is not None and size != announced:
            raise InvalidInput("The upload was cut off. Send the file again.", code="upload_cut_off")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return size


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The file is larger than {limit / (1 << 30):.1f} GB.", params={"gb": round(limit / (1 << 30), 1)})
