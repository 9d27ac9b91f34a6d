"""Start, cancel and find imports and exports of contacts. The work itself is `crm/jobs/contacts.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.errors import Conflict, InvalidInput, NotFound
from callcenter.ids import new_id
from crm.addressbook.batches import MOST_IDS
from crm.addressbook.models import ContactJob, JobKind, JobState
from crm.addressbook.plan import read_plan
from crm.addressbook.sheet import FORMATS
from crm.addressbook.transfer import places

_ENDED = (JobState.DONE, JobState.CANCELLED, JobState.FAILED)


def stored_name(tenant_id: int, job_id: str, ending: str) -> str:
    """Where a job's file lies, relative to the var directory."""
    return f"contacts/{tenant_id}/{job_id}.{ending}"


def find(session: Session, actor: Actor, job_id: str, kind: JobKind, *, lock: bool = False) -> ContactJob:
    """The job, if it is the user's own. Raises NotFound."""
    query = select(ContactJob).where(
        ContactJob.id == job_id, ContactJob.kind == kind, ContactJob.created_by == actor.user_id
    )
    job = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if job is None:
        raise NotFound("There is no such job.")
    return job


def register(session: Session, actor: Actor, job_id: str, file_name: str, size_bytes: int) -> ContactJob:
    """An uploaded file, ready to be looked at."""
    job = ContactJob(
        id=job_id, kind=JobKind.IMPORT, state=JobState.UPLOADED, file_name=file_name[:255], size_bytes=size_bytes,
        path=stored_name(actor.tenant_id, job_id, "upload"), settings={}, counts={}, created_by=actor.user_id,
    )  # fmt: skip
    session.add(job)
    session.flush()
    session.refresh(job)
    record(session, actor, "upload", "contact_job", job.id, name=job.file_name, after={"size_bytes": size_bytes})
    return job


def start_import(session: Session, actor: Actor, job_id: str, settings: Mapping[str, Any]) -> ContactJob:
    """Queue the import with `settings`; after the commit call `jobs.contacts.enqueue`. One that was cancelled or failed
    may be started again. Raises NotFound, InvalidInput, Conflict."""
    job = find(session, actor, job_id, JobKind.IMPORT, lock=True)
    if job.state in (JobState.QUEUED, JobState.RUNNING):
        raise Conflict("This import is running already.", code="import_running")
    if job.state == JobState.DONE:
        raise Conflict("This import is done. Upload the file again to import it again.", code="import_done")
    plan = read_plan(settings)
    places(session, actor, plan)
    job.settings, job.state, job.error, job.counts = dict(settings), JobState.QUEUED, None, {}
    job.finished_at, job.rejected_path = None, ""
    session.flush()
    session.refresh(job)
    record(session, actor, "start", "contact_job", job.id, name=job.file_name, after={"settings": dict(settings)})
    return job


def start_export(session: Session, actor: Actor, settings: Mapping[str, Any], file_name: str) -> ContactJob:
    """Queue an export of `settings`: `format`, and `ids` or `filter` (the fields of `queries.Filter`). After the commit
    call `jobs.contacts.enqueue`. Raises InvalidInput."""
    if settings.get("format") not in FORMATS:
        raise InvalidInput("Choose CSV or XLSX.", fields={"format": "Choose CSV or XLSX."})
    if len(settings.get("ids") or ()) > MOST_IDS:
        sentence = f"{MOST_IDS} contacts at most; for more, export a filter."
        raise InvalidInput(sentence, fields={"ids": sentence})
    job_id = new_id()
    job = ContactJob(
        id=job_id, kind=JobKind.EXPORT, state=JobState.QUEUED, settings=dict(settings), counts={},
        file_name=f"{file_name}.{settings['format']}", created_by=actor.user_id,
        path=stored_name(actor.tenant_id, job_id, str(settings["format"])),
    )  # fmt: skip
    session.add(job)
    session.flush()
    session.refresh(job)
    record(session, actor, "export", "contact_job", job.id, name=job.file_name, after={"settings": dict(settings)})
    return job


def cancel(session: Session, actor: Actor, job_id: str, kind: JobKind) -> bool:
    """Whether the job was waiting and is cancelled by this; one that runs has to be asked (`jobs.watch.cancel_key`).
    Raises NotFound, Conflict if it has ended."""
    job = find(session, actor, job_id, kind, lock=True)
    if job.state in _ENDED:
        raise Conflict("This has ended already.", code="import_ended")
    record(session, actor, "cancel", "contact_job", job.id, name=job.file_name)
    if job.state == JobState.RUNNING:
        return False
    job.state = JobState.CANCELLED
    session.flush()
    session.refresh(job)
    return True
