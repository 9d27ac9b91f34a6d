"""Uploaded files do not stay for ever: the originals and lists of rejected rows of old imports are removed."""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy import select

from callcenter.clock import utc_now
from callcenter.db.session import platform_session
from crm.jobs.imports import rejected_path, uploaded_path
from crm.models import Import, ImportState

log = logging.getLogger(__name__)
KEEP_DAYS = 30
_AT_REST = (ImportState.UPLOADED, ImportState.DONE, ImportState.CANCELLED, ImportState.FAILED)


def sweep() -> int:
    """Remove the files of imports that were last touched KEEP_DAYS ago; their rows stay. Returns how many files."""
    before = utc_now() - timedelta(days=KEEP_DAYS)
    removed = 0
    with platform_session() as session:
        old = session.scalars(select(Import).where(Import.state.in_(_AT_REST), Import.updated_at < before))
        paths = [p for job in old for p in (uploaded_path(job), rejected_path(job))]
    for path in paths:
        if path.is_file():
            path.unlink()
            removed += 1
    if removed:
        log.info("%d files of imports older than %d days were removed", removed, KEEP_DAYS)
    return removed
