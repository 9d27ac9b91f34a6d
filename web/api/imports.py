"""Imports: upload a file, look at it, map its columns, start, watch, fetch what was rejected."""

from __future__ import annotations

from typing import Any

from flask import Response, send_file
from flask_smorest import Blueprint
from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter import config
from callcenter.audit.models import record
from callcenter.db.session import tenant_session
from callcenter.errors import NotFound
from callcenter.events import streams
from crm.actions import imports as actions
from crm.importing.preview import preview
from crm.jobs import imports as jobs
from crm.models import Import, LeadList
from crm.queries import typed
from crm.queries.fields import field_defs
from web.http import current_actor, off_loop, paged, requires, tenant_id
from web.schemas.imports import (
    ImportPageSchema,
    ImportQuery,
    ImportSchema,
    ImportSettingsSchema,
    PreviewQuery,
    PreviewSchema,
    UploadQuery,
)
from web.uploads import limit_bytes, store

blueprint = Blueprint("imports", __name__, url_prefix="/api/imports", description="Imports of leads")


def _render(job: Import, list_name: str | None) -> dict[str, Any]:
    names = (
        "id",
        "list_id",
        "file_name",
        "size_bytes",
        "state",
        "settings",
        "counts",
        "error",
        "created_at",
        "started_at",
        "finished_at",
    )
    return {
        **{n: getattr(job, n) for n in names},
        "list_name": list_name or "",
        "rejected_file": bool(job.rejected_path),
    }


def _one(db: Session, job: Import) -> dict[str, Any]:
    return _render(job, db.scalar(select(LeadList.name).where(LeadList.id == job.list_id)))


@blueprint.get("")
@requires("lists.import")
@blueprint.arguments(ImportQuery, location="query")
@blueprint.response(200, ImportPageSchema)
def list_imports(args: dict[str, Any]) -> dict[str, Any]:
    """Imports, the newest first."""
    query = typed(
        select(Import, LeadList.name)
        .outerjoin(LeadList, LeadList.id == Import.list_id)
        .order_by(Import.created_at.desc())
    )
    if "list_id" in args:
        query = query.where(Import.list_id == args["list_id"])
    if args.get("state"):
        query = query.where(Import.state.in_(args["state"].split(",")))
    with tenant_session(tenant_id()) as db:
        return paged(db, query, args, lambda row: _render(*row))


@blueprint.post("")
@requires("lists.import")
@blueprint.arguments(UploadQuery, location="query")
@blueprint.response(201, ImportSchema)
def upload_import(args: dict[str, Any]) -> dict[str, Any]:
    """Upload a file: the body of the request is its content (application/octet-stream)."""
    with tenant_session(tenant_id()) as db:
        if db.get(LeadList, args["list_id"]) is None:
            raise NotFound("There is no such list.")
    import_id = actions.new_import_id()
    target = config.load().var / actions.stored_name(tenant_id(), import_id)
    size = store(target, limit_bytes())
    try:
        with tenant_session(tenant_id()) as db:
            job = actions.register(db, current_actor(), import_id, args["list_id"], args["file_name"], size)
            return _one(db, job)
    except Exception:
        target.unlink(missing_ok=True)
        raise


@blueprint.get("/<import_id>")
@requires("lists.import")
@blueprint.response(200, ImportSchema)
def get_import(import_id: str) -> dict[str, Any]:
    """One import."""
    with tenant_session(tenant_id()) as db:
        return _one(db, actions.find(db, import_id))


@blueprint.post("/<import_id>/preview")
@requires("lists.import")
@blueprint.arguments(PreviewQuery, location="query")
@blueprint.arguments(ImportSettingsSchema)
@blueprint.response(200, PreviewSchema)
def preview_import(args: dict[str, Any], settings: dict[str, Any], import_id: str) -> dict[str, Any]:
    """What is found in the file, its first rows, and what would become of each with these settings, which are kept
    until the import starts."""
    with tenant_session(tenant_id()) as db:
        job = actions.find(db, import_id)
        actions.keep(db, job, settings)
        fields, owners = field_defs(db), jobs.owners_by_name(db)
        country = db.scalar(select(LeadList.country).where(LeadList.id == job.list_id)) or "CN"
        path = jobs.uploaded_path(job)
    if not path.exists():
        raise NotFound("The uploaded file is gone. Upload it again.", code="file_gone")
    return off_loop(preview, path, settings, fields, owners, country, args["locale"])


@blueprint.post("/<import_id>/start")
@requires("lists.import")
@blueprint.arguments(ImportSettingsSchema)
@blueprint.response(202, ImportSchema)
def start_import(settings: dict[str, Any], import_id: str) -> dict[str, Any]:
    """Queue the import. Follow it on the live topic `import:{id}`."""
    with tenant_session(tenant_id()) as db:
        job = actions.start(db, current_actor(), import_id, settings)
        answer, progress = _one(db, job), jobs.progress_of(job)
    streams.client().delete(jobs.cancel_key(import_id))
    jobs.announce(tenant_id(), progress)
    jobs.enqueue(tenant_id(), import_id)
    return answer


@blueprint.post("/<import_id>/cancel")
@requires("lists.import")
@blueprint.response(202, ImportSchema)
def cancel_import(import_id: str) -> dict[str, Any]:
    """Stop it; nothing of it stays. One that runs stops within a second."""
    with tenant_session(tenant_id()) as db:
        waiting = actions.cancel(db, current_actor(), import_id)
        job = actions.find(db, import_id)
        answer, progress = _one(db, job), jobs.progress_of(job)
    if waiting:
        jobs.announce(tenant_id(), progress)
    else:
        streams.client().set(jobs.cancel_key(import_id), "1", ex=3600)
    return answer


@blueprint.get("/<import_id>/rejected")
@requires("lists.import")
@blueprint.response(200, content_type="text/csv")
def download_rejected(import_id: str) -> Response:
    """The rejected rows as CSV: number, reason, original columns."""
    with tenant_session(tenant_id()) as db:
        job = actions.find(db, import_id)
        path = jobs.rejected_path(job)
        if not job.rejected_path or not path.exists():
            raise NotFound("No rows were rejected.")
        record(db, current_actor(), "download", "import", job.id, name=job.file_name)
        name = f"{job.file_name.rsplit('.', 1)[0]}.rejected.csv"
    return send_file(path, mimetype="text/csv", as_attachment=True, download_name=name)
