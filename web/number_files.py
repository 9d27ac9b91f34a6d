"""Uploaded files of phone numbers: read beside the other requests, taken over piece by piece, rejected rows kept to be
fetched.

A piece is one transaction. To upload the same file again adds what a broken upload left out and nothing twice.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from flask import Response, send_file
from sqlalchemy.orm import Session

from callcenter import config, ids
from callcenter.db.session import tenant_session
from callcenter.errors import NotFound
from crm.importing.numbers import read_numbers
from web.http import current_actor, identity, off_loop, tenant_id
from web.uploads import store

LIMIT_BYTES: Final = 100 << 20
KEEP_DAYS: Final = 7  # files of rejected rows
_PIECE: Final = 5000
_ID: Final = re.compile(r"[0-9A-Za-z]{10,40}")


def take(what: str, locale: str, add: Callable[[Session, Sequence[str]], int]) -> dict[str, Any]:
    """Take over the numbers of the file that is the request's body; gives a `NumberFileSchema`. `what` names the kind
    of list; `add` adds numbers (E.164) and says how many were new."""
    folder = _folder(what)
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    file_id = ids.new_id()
    upload, rejects = folder / f"{file_id}.upload", _rejects(what, file_id)
    try:
        store(upload, LIMIT_BYTES)
        given = off_loop(read_numbers, upload, rejects, identity().enterprise.country, locale)
    finally:
        upload.unlink(missing_ok=True)
    added = 0
    for at in range(0, len(given.good), _PIECE):
        with tenant_session(tenant_id()) as db:
            added += add(db, given.good[at : at + _PIECE])
    return {
        "added": added,
        "already": len(given.good) - added,
        "duplicates": given.duplicates,
        "rejected": given.rejected,
        "wrong": [{"line": n, "text": t, "reason": r} for n, t, r in given.wrong],
        "rejected_id": file_id if given.rejected else "",
    }


def rejected(what: str, file_id: str, name: str) -> Response:
    """The rejected rows of a file that this user uploaded. Raises NotFound."""
    path = _rejects(what, file_id) if _ID.fullmatch(file_id) else None
    if path is None or not path.exists():
        raise NotFound("These rows are gone. Upload the file again.", code="file_gone")
    return send_file(path, mimetype="text/csv", as_attachment=True, download_name=name)


def _folder(what: str) -> Path:
    return config.load().var / "number-files" / str(tenant_id()) / what


def _rejects(what: str, file_id: str) -> Path:
    return _folder(what) / f"{file_id}-{current_actor().user_id or 0}.csv"


def _sweep(folder: Path) -> None:
    before = time.time() - KEEP_DAYS * 86400
    for path in folder.iterdir():
        if path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
