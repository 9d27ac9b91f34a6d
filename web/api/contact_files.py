"""Files into the address book and out of it."""

from __future__ import annotations

from typing import Any

from flask import Response, send_file
from flask_smorest import Blueprint
from sqlalchemy import select

from callcenter import config
from callcenter.audit.models import record
from callcenter.db.session import tenant_session
from callcenter.errors import NotFound
from callcenter.events import streams
from callcenter.ids import new_id
from crm.addressbook import transfers as actions
from crm.addressbook.models import ContactJob, JobKind, JobState
from crm.addressbook.plan import ContactPlan
from crm.addressbook.preview import preview
from crm.addressbook.transfer import places
from crm.jobs import contacts as jobs
from crm.jobs.watch import cancel_key
from web.api.contacts import today
from web.http import PageQuery, current_actor, identity, off_loop, paged, requires, tenant_id
from web.schemas.contacts import (
    ContactExportSchema,
    ContactImportSettingsSchema,
    ContactJobPageSchema,
    ContactJobSchema,
    ContactPreviewSchema,
    ContactUploadQuery,
)
from web.schemas.imports import PreviewQuery
from web.uploads import limit_bytes, store

blueprint = Blueprint("contact_files", __name__, url_prefix="/api", description="Files of the address book")
FILE_LIMIT_BYTES = 200 << 20


def _render(job: ContactJob) -> dict[str, Any]:
    names = (
        "id", "kind", "file_name", "size_bytes", "state", "counts", "error", "created_at", "started_at", "finished_at",
    )  # fmt: skip
    kept = job.kind == JobKind.EXPORT and job.state == JobState.DONE and jobs.file_path(job).exists()
    rejected = bool(job.rejected_path) and jobs.rejected_path(job).exists()
    return {**{n: getattr(job, n) for n in names}, "rejected_file": rejected, "file": kept}


@blueprint.get("/contact-files")
@requires("contacts.import")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, ContactJobPageSchema)
def list_contact_files(args: dict[str, Any]) -> dict[str, Any]:
    """The user's own imports and exports that were started, the newest first. Their files are kept for a week."""
    query = select(ContactJob).where(
        ContactJob.created_by == current_actor().user_id, ContactJob.state != JobState.UPLOADED
    )
    with tenant_session(tenant_id()) as db:
        return paged(db, query.order_by(ContactJob.created_at.desc(), ContactJob.id), args, _render)


@blueprint.post("/contact-imports")
@requires("contacts.import")
@blueprint.arguments(ContactUploadQuery, location="query")
@blueprint.response(201, ContactJobSchema)
def upload_contact_import(args: dict[str, Any]) -> dict[str, Any]:
    """Upload a file: the body of the request is its content (application/octet-stream)."""
    job_id = new_id()
    target = config.load().var / actions.stored_name(tenant_id(), job_id, "upload")
    size = store(target, min(FILE_LIMIT_BYTES, limit_bytes()))
    try:
        with tenant_session(tenant_id()) as db:
            return _render(actions.register(db, current_actor(), job_id, args["file_name"], size))
    except Exception:
        target.unlink(missing_ok=True)
        raise


@blueprint.get("/contact-imports/<job_id>")
@requires("contacts.import")
@blueprint.response(200, ContactJobSchema)
def get_contact_import(job_id: str) -> dict[str, Any]:
    """One import of the user's own."""
    with tenant_session(tenant_id()) as db:
        return _render(actions.find(db, current_actor(), job_id, JobKind.IMPORT))


@blueprint.post("/contact-imports/<job_id>/preview")
@requires("contacts.import")
@blueprint.arguments(PreviewQuery, location="query")
@blueprint.arguments(ContactImportSettingsSchema)
@blueprint.response(200, ContactPreviewSchema)
def preview_contact_import(args: dict[str, Any], settings: dict[str, Any], job_id: str) -> dict[str, Any]:
    """What is found in the file, its first rows, and what would become of each with these settings."""
    actor, country, year = current_actor(), identity().enterprise.country, today().year
    with tenant_session(tenant_id()) as db:
        path = jobs.file_path(actions.find(db, actor, job_id, JobKind.IMPORT))
        at = places(db, actor, ContactPlan(group_id=settings.get("group_id")))
    if not path.exists():
        raise NotFound("The uploaded file is gone. Upload it again.", code="file_gone")
    seen = off_loop(preview, path, settings, at, frozenset(), country, args["locale"], year)
    with tenant_session(tenant_id()) as db:
        book = frozenset(jobs.in_book(db, actor, seen["numbers"]))
    if book:
        seen = off_loop(preview, path, seen["settings"], at, book, country, args["locale"], year)
    return seen


@blueprint.post("/contact-imports/<job_id>/start")
@requires("contacts.import")
@blueprint.arguments(ContactImportSettingsSchema)
@blueprint.response(202, ContactJobSchema)
def start_contact_import(settings: dict[str, Any], job_id: str) -> dict[str, Any]:
    """Queue the import. Follow it on the live topic `contact-job:{id}`."""
    with tenant_session(tenant_id()) as db:
        job = actions.start_import(db, current_actor(), job_id, settings)
    return _queued(job)


def _queued(job: ContactJob) -> dict[str, Any]:
    streams.client().delete(cancel_key(job.id))
    jobs.announce(tenant_id(), jobs.progress_of(job))
    jobs.enqueue(tenant_id(), job.id)
    return _render(job)


def _cancel(job_id: str, kind: JobKind) -> dict[str, Any]:
    with tenant_session(tenant_id()) as db:
        waiting = actions.cancel(db, current_actor(), job_id, kind)
        job = actions.find(db, current_actor(), job_id, kind)
    if waiting:
        jobs.announce(tenant_id(), jobs.progress_of(job))
    else:
        streams.client().set(cancel_key(job_id), "1", ex=3600)
    return _render(job)


@blueprint.post("/contact-imports/<job_id>/cancel")
@requires("contacts.import")
@blueprint.response(202, ContactJobSchema)
def cancel_contact_import(job_id: str) -> dict[str, Any]:
    """Stop it; nothing of it stays. One that runs stops within a second."""
    return _cancel(job_id, JobKind.IMPORT)


@blueprint.get("/contact-imports/<job_id>/rejected")
@requires("contacts.import")
@blueprint.response(200, content_type="text/csv")
def download_rejected_contacts(job_id: str) -> Response:
    """The rejected rows as CSV: number, reason, original columns."""
    with tenant_session(tenant_id()) as db:
        job = actions.find(db, current_actor(), job_id, JobKind.IMPORT)
        path = jobs.rejected_path(job)
        if not job.rejected_path or not path.exists():
            raise NotFound("No rows were rejected.")
        record(db, current_actor(), "download", "contact_job", job.id, name=job.file_name)
        name = f"{job.file_name.rsplit('.', 1)[0]}.rejected.csv"
    return send_file(path, mimetype="text/csv", as_attachment=True, download_name=name)


@blueprint.post("/contact-exports")
@requires("contacts.import")
@blueprint.arguments(ContactExportSchema)
@blueprint.response(202, ContactJobSchema)
def start_contact_export(given: dict[str, Any]) -> dict[str, Any]:
    """Export some contacts by id, or all that a filter leaves. Follow it on the live topic `contact-job:{id}`."""
    name = "通讯录" if identity().user.locale == "zh-CN" else "contacts"
    with tenant_session(tenant_id()) as db:
        job = actions.start_export(db, current_actor(), given, f"{name}-{today().isoformat()}")
    return _queued(job)


@blueprint.get("/contact-exports/<job_id>")
@requires("contacts.import")
@blueprint.response(200, ContactJobSchema)
def get_contact_export(job_id: str) -> dict[str, Any]:
    """One export of the user's own."""
    with tenant_session(tenant_id()) as db:
        return _render(actions.find(db, current_actor(), job_id, JobKind.EXPORT))


@blueprint.post("/contact-exports/<job_id>/cancel")
@requires("contacts.import")
@blueprint.response(202, ContactJobSchema)
def cancel_contact_export(job_id: str) -> dict[str, Any]:
    """Stop an export."""
    return _cancel(job_id, JobKind.EXPORT)


@blueprint.get("/contact-exports/<job_id>/file")
@requires("contacts.import")
@blueprint.response(200, content_type="application/octet-stream")
def download_contact_export(job_id: str) -> Response:
    """The exported file; it is kept for a week."""
    with tenant_session(tenant_id()) as db:
        job = actions.find(db, current_actor(), job_id, JobKind.EXPORT)
        path = jobs.file_path(job)
        if job.state != JobState.DONE or not path.exists():
            raise NotFound("This file is not there (any more). Export again.", code="file_gone")
        record(db, current_actor(), "download", "contact_job", job.id, name=job.file_name)
    kind = "text/csv" if path.suffix == ".csv" else "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return send_file(path, mimetype=kind, as_attachment=True, download_name=job.file_name)
