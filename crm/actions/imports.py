"""Start, cancel and drop imports. The work itself is `crm/jobs/imports.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from callcenter import ids
from callcenter.audit.models import Actor, record
from callcenter.errors import Conflict, NotFound
from crm.importing.plan import read_plan
from crm.models import Import, ImportState, LeadList
from crm.phones import SUPPORTED_COUNTRIES
from crm.queries.fields import field_defs

_ENDED = (ImportState.DONE, ImportState.CANCELLED, ImportState.FAILED)
_TO_START = (ImportState.UPLOADED, ImportState.CANCELLED, ImportState.FAILED)


def stored_name(tenant_id: int, import_id: str) -> str:
    """Where an upload lies, relative to the var directory."""
    return f"imports/{tenant_id}/{import_id}.upload"


def register(session: Session, actor: Actor, import_id: str, list_id: int, file_name: str, size_bytes: int) -> Import:
    """An uploaded file, ready to be looked at. Raises NotFound if there is no such list."""
    if session.get(LeadList, list_id) is None:
        raise NotFound("There is no such list.")
    job = Import(
        id=import_id, list_id=list_id, file_name=file_name[:255], stored_path=stored_name(actor.tenant_id, import_id),
        size_bytes=size_bytes, state=ImportState.UPLOADED, settings={}, counts={}, created_by=actor.user_id,
    )  # fmt: skip
    session.add(job)
    session.flush()
    session.refresh(job)
    after = {"list_id": list_id, "size_bytes": size_bytes}
    record(session, actor, "upload", "import", job.id, name=job.file_name, after=after)
    return job


def find(session: Session, import_id: str, *, lock: bool = False) -> Import:
    """The import. Raises NotFound."""
    job = session.get(Import, import_id, with_for_update=lock)
    if job is None:
        raise NotFound("There is no such import.")
    return job


def keep(session: Session, job: Import, settings: Mapping[str, Any]) -> None:
    """Remember the settings that are being looked at, for whoever comes back to the import before it starts. Nothing
    of the enterprise changes by that, so it is not in the audit log."""
    open_ = update(Import).where(Import.id == job.id, Import.state.in_(_TO_START))
    session.execute(open_.values(settings=dict(settings)))


def start(session: Session, actor: Actor, import_id: str, settings: Mapping[str, Any]) -> Import:
    """Queue the import with `settings`; after the commit call `jobs.imports.enqueue`. One that was cancelled or failed
    may be started again. Raises NotFound, InvalidInput, Conflict."""
    job = find(session, import_id, lock=True)
    if job.state in (ImportState.QUEUED, ImportState.RUNNING):
        raise Conflict("This import is running already.", code="import_running")
    if job.state == ImportState.DONE:
        raise Conflict("This import is done. Upload the file again to import it again.", code="import_done")
    read_plan(settings, frozenset(field_defs(session)), SUPPORTED_COUNTRIES)
    job.settings, job.state, job.error, job.counts = dict(settings), ImportState.QUEUED, None, {}
    job.done_bytes, job.finished_at, job.rejected_path = 0, None, ""
    session.flush()
    record(session, actor, "start", "import", job.id, name=job.file_name, after={"settings": dict(settings)})
    return job


def cancel(session: Session, actor: Actor, import_id: str) -> bool:
    """Whether the import was waiting and is cancelled by this; one that runs has to be asked
    (`jobs.imports.cancel_key`). Raises NotFound, Conflict if it has ended."""
    job = find(session, import_id, lock=True)
    if job.state in _ENDED:
        raise Conflict("This import has ended already.", code="import_ended")
    record(session, actor, "cancel", "import", job.id, name=job.file_name)
    if job.state == ImportState.RUNNING:
        return False
    job.state = ImportState.CANCELLED
    session.flush()
    return True


def new_import_id() -> str:
    """A name for an upload before the database knows of it."""
    return ids.new_id()
