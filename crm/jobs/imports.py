"""The import job: an uploaded file into a list, all or nothing, with a live document to watch it by.

One transaction holds everything: staging, leads, counts and the job's final state. A killed worker therefore leaves
nothing behind, and a job is picked up again from its beginning when its lease in Redis has run out: `recover()`, called
every 10 s by the scheduler. An advisory lock keeps two workers from running one job at once even if Redis is lost.
`watch.py` is what goes beside it.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from redis.exceptions import RedisError
from rq import Queue
from rq.exceptions import DuplicateJobError
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from callcenter import config
from callcenter.audit.models import Actor, record
from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.db.outbox import settings_changed
from callcenter.db.session import platform_session, tenant_session
from callcenter.errors import AppError
from callcenter.events import streams
from callcenter.log import bind
from crm.importing import loading
from crm.importing.plan import read_plan
from crm.importing.rejects import write_rejects
from crm.importing.sniff import sniff
from crm.importing.transfer import REJECTED_COUNTS, load
from crm.jobs.watch import LEASE_S, Cancelled, Watch, driver_connection, lease_key
from crm.jobs.watch import cancel_key as cancel_key
from crm.models import Import, ImportState
from crm.phones import SUPPORTED_COUNTRIES
from crm.queries.fields import field_defs

log = logging.getLogger(__name__)
QUEUE = "imports"


@dataclass(frozen=True)
class Progress:
    """The live document `import:{id}`. `phase`: reading, saving, rejects, "" when it does not run. `seconds_left` None
    while it can't be told."""

    id: str
    list_id: int | None
    file_name: str
    state: str
    phase: str = ""
    total_bytes: int = 0
    done_bytes: int = 0
    rows: int = 0
    rows_per_s: float = 0.0
    seconds_left: float | None = None
    counts: dict[str, int] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    rejected_file: bool = False


def topic(import_id: str) -> str:
    """Live topic of an import."""
    return f"import:{import_id}"


def uploaded_path(job: Import) -> Path:
    """Where the upload lies."""
    return config.load().var / job.stored_path


def rejected_path(job: Import) -> Path:
    """Where the file of rejected rows lies (if `job.rejected_path` is set) or will lie."""
    return uploaded_path(job).with_suffix(".rejected.csv")


def enqueue(tenant_id: int, import_id: str) -> None:
    """Queue the job; once only, however often it is asked for."""
    queue = Queue(QUEUE, connection=streams.client())
    try:
        queue.enqueue_call(
            run, (tenant_id, import_id), job_id=f"import-{import_id}", timeout=24 * 3600, result_ttl=0,
            failure_ttl=60, unique=True,
        )  # fmt: skip
    except DuplicateJobError:
        pass


def progress_of(job: Import) -> Progress:
    """The document of a job that does not run at the moment."""
    return Progress(
        id=job.id, list_id=job.list_id, file_name=job.file_name, state=job.state, total_bytes=job.size_bytes,
        done_bytes=job.done_bytes, rows=int(job.counts.get("total", 0)), counts=dict(job.counts), error=job.error,
        rejected_file=bool(job.rejected_path),
    )  # fmt: skip


def owners_by_name(session: Session) -> dict[str, int]:
    """User name (lower case) → id."""
    return {name.casefold(): id_ for name, id_ in session.execute(select(User.username, User.id).where(User.enabled))}


def announce(tenant_id: int, document: Progress) -> None:
    """Publish the import's live document. It matters less than the import: no Redis, no document."""
    try:
        streams.publish(tenant_id, topic(document.id), asdict(document))
    except RedisError:
        log.warning("the progress of import %s could not be published", document.id)


def run(tenant_id: int, import_id: str) -> None:
    """Run one import to its end. Called by the rq worker; harmless when called twice."""
    with bind(tenant=tenant_id, import_id=import_id):
        try:
            with tenant_session(tenant_id) as session:
                document = _run(session, tenant_id, import_id)
        except Cancelled:
            document = _close(tenant_id, import_id, ImportState.CANCELLED, None)
        except AppError as error:
            document = _close(tenant_id, import_id, ImportState.FAILED, {"code": error.code, "message": error.message})
        except psycopg.OperationalError:
            raise  # the database is away: the lease runs out and the job is taken up again
        except Exception:
            log.exception("import %s failed", import_id)
            message = "The import failed on the server. Nothing was changed. Try again; the log has the details."
            document = _close(tenant_id, import_id, ImportState.FAILED, {"code": "internal", "message": message})
        if document is not None:
            announce(tenant_id, document)
            streams.client().delete(lease_key(import_id), cancel_key(import_id))


def _close(tenant_id: int, import_id: str, state: ImportState, error: dict[str, Any] | None) -> Progress | None:
    with tenant_session(tenant_id) as session:
        job = session.get(Import, import_id)
        if job is None or job.state not in (ImportState.QUEUED, ImportState.RUNNING):
            return None
        job.state, job.error, job.finished_at, job.counts, job.done_bytes = state, error, utc_now(), {}, 0
        return progress_of(job)


def _mark_running(tenant_id: int, import_id: str) -> bool:
    """Whether the job is still to be done; marks it as running in a transaction of its own."""
    with tenant_session(tenant_id) as session:
        wanted = update(Import).where(
            Import.id == import_id, Import.state.in_([ImportState.QUEUED, ImportState.RUNNING])
        )
        done = session.execute(wanted.values(state=ImportState.RUNNING, started_at=utc_now()))
        return bool(done.rowcount)  # type: ignore[attr-defined]  # of an UPDATE it is there


def _run(session: Session, tenant_id: int, import_id: str) -> Progress | None:
    lock = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:id, 726))")
    if not session.execute(lock, {"id": import_id}).scalar_one():
        log.info("another worker runs this import")
        return None
    if not _mark_running(tenant_id, import_id):
        return None
    job = session.get(Import, import_id)
    if job is None or job.list_id is None:
        return None
    fields = field_defs(session)
    plan = read_plan(job.settings, frozenset(fields), SUPPORTED_COUNTRIES)
    path = uploaded_path(job)
    if not path.exists():
        raise AppError("The uploaded file is gone. Upload it again.", code="file_gone")
    kind = sniff(path).kind
    connection = driver_connection(session)
    document = replace(progress_of(job), state=ImportState.RUNNING, phase="reading", error=None)
    watch = Watch(document, connection, partial(announce, tenant_id))
    try:
        with watch.stopping():
            counts = load(
                connection,
                tenant_id,
                job.list_id,
                import_id,
                (path, kind),
                plan,
                fields,
                owners_by_name(session),
                watch.tick,
            )
            rejected = sum(v for k, v in counts.items() if k in REJECTED_COUNTS)
            if rejected:
                watch.tick(force=True, phase="rejects", counts=counts)
                locale = session.scalar(select(User.locale).where(User.id == job.created_by)) or "en"
                target = rejected_path(job)
                write_rejects(target, (path, kind), plan, loading.rejected_rows(connection), locale, watch.tick)
                job.rejected_path = str(target.relative_to(config.load().var))
        watch.check()
        job.state, job.counts, job.error = ImportState.DONE, counts, None
        job.finished_at, job.done_bytes = utc_now(), job.size_bytes
        actor = Actor(tenant_id, job.created_by, _name_of(session, job.created_by))
        record(session, actor, "import", "lead_list", job.list_id, name=job.file_name, after=counts)
        settings_changed(session, "lead_list", job.list_id)
        session.flush()
        return progress_of(job)
    finally:
        watch.end()


def _name_of(session: Session, user_id: int | None) -> str:
    return session.scalar(select(User.name).where(User.id == user_id)) or "worker"


def recover() -> int:
    """Queue again what a dead worker or a lost Redis left behind; returns how many. Called every 10 s."""
    client = streams.client()
    again = 0
    with platform_session() as session:
        waiting = session.execute(
            select(Import.tenant_id, Import.id).where(Import.state.in_([ImportState.QUEUED, ImportState.RUNNING]))
        ).all()
    queue = Queue(QUEUE, connection=client)
    queued = set(queue.job_ids)
    for tenant_id, import_id in waiting:
        job_id = f"import-{import_id}"
        if job_id in queued or client.exists(lease_key(import_id)):
            continue
        stale = queue.fetch_job(job_id)
        if stale is not None:
            # A worker may have taken it a moment ago and not reached its first beat yet.
            taken = stale.started_at or stale.enqueued_at
            if taken is not None and (utc_now() - taken.astimezone()).total_seconds() < LEASE_S:
                continue
            stale.delete()
        enqueue(tenant_id, import_id)
        again += 1
        log.warning("import %s was left by a dead worker and is queued again", import_id)
    return again
