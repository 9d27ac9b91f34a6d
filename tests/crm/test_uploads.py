"""Files of old imports are removed, those of newer ones stay."""

from __future__ import annotations

from sqlalchemy import text

from callcenter.db.session import platform_session
from crm.jobs import uploads
from crm.jobs.imports import uploaded_path
from tests.crm.conftest import Floor


def test_only_files_of_old_imports_are_removed(floor: Floor) -> None:
    old = floor.import_(b"name,phone\nLi,13800138000\n")
    new = floor.import_(b"name,phone\nWang,13800138001\n")
    with platform_session() as session:
        session.execute(
            text("UPDATE import_job SET updated_at = now() - interval '31 days' WHERE id = :i"), {"i": old.id}
        )
    assert uploads.sweep() >= 1
    assert not uploaded_path(old).exists() and uploaded_path(new).exists()
    assert uploads.sweep() == 0
