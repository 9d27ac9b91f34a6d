"""The jobs of the address book: a file in, or a file out, all or nothing, with a live document to watch them by.

One transaction holds everything, and the job's final state. A killed worker therefore leaves nothing behind, and the
job is taken up again from its beginning when its lease has run out: `recover()`, called every 10 s by the scheduler.
Files are kept KEEP_DAYS.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from redis.exceptions import RedisError
from rq import Queue
from rq.exceptions import DuplicateJobError
from sqlalchemy import Text, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from callcenter import config
from callcenter.audit.models import Actor, record
from callcenter.auth.access import permissions_of
from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.db.session import platform_session, tenant_session
from callcenter.errors import AppError
from callcenter.events import streams
from callcenter.log import bind
from callcenter.tenancy.models import Enterprise
from crm.addressbook import sheet
from crm.addressbook.contacts import groups_of
from crm.addressbook.groups import load_tree, path_of, seen_by
from crm.addressbook.models import Contact, ContactJob, JobKind, JobState
from crm.addressbook.plan import read_plan
from crm.addressbook.queries import Filter, contacts
from crm.addressbook.transfer import REJECTED_COUNTS, load
from crm.importing import loading
from crm.importing.rejects import write_rejects
from crm.importing.sniff import sniff
from crm.jobs.watch import LEASE_S, Cancelled, Watch, driver_connection, lease_key
from crm.queries.card import shown

log = logging.getLogger(__name__)
QUEUE = "imports"
KEEP_DAYS = 7
_PAGE = 2000
_OPEN = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class Progress:
    """The live document `contact-job:{id}`. `phase`: reading, saving, rejects, writing; "" when it does not run."""

    id: str
    kind: str
    file_name: str
    state: str
    phase: str = ""
    total_bytes: int = 0
    done_bytes: int = 0
    total: int = 0  # rows, where that is known
    rows: int = 0
    rows_per_s: float = 0.0
    seconds_left: float | None = None
    counts: dict[str, int] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    rejected_file: bool = False


def topic(job_id: str) -> str:
    """Live topic of a job."""
    return f"contact-job:{job_id}"


def file_path(job: ContactJob) -> Path:
    """Where the upload or the export lies."""
    return config.load().var / job.path


def rejected_path(job: ContactJob) -> Path:
    """Where the file of rejected rows lies (if `job.rejected_path` is set) or will lie."""
    return file_path(job).with_suffix(".rejected.csv")


def progress_of(job: ContactJob) -> Progress:
    """The document of a job that does not run at the moment."""
    total = int(job.counts.get("total", 0))
    return Progress(
        id=job.id, kind=job.kind, file_name=job.file_name, state=job.state, total_bytes=job.size_bytes, total=total,
        rows=total, counts=dict(job.counts), error=job.error, rejected_file=bool(job.rejected_path),
    )  # fmt: skip


def announce(tenant_id: int, document: Progress) -> None:
    """Publish a job's live document. It matters less than the job: no Redis, no document."""
    try:
        streams.publish(tenant_id, topic(document.id), asdict(document))
    except RedisError:
        log.warning("the progress of job %s could not be published", document.id)


def enqueue(tenant_id: int, job_id: str) -> None:
    """Queue the job; once only, however often it is asked for."""
    queue = Queue(QUEUE, connection=streams.client())
    try:
        queue.enqueue_call(
            run, (tenant_id, job_id), job_id=_name(job_id), timeout=6 * 3600, result_ttl=0, failure_ttl=60, unique=True
        )
    except DuplicateJobError:
        pass


def _name(job_id: str) -> str:
    return f"contacts-{job_id}"


def run(tenant_id: int, job_id: str) -> None:
    """Run one job to its end. Called by the rq worker; harmless when called twice."""
    with bind(tenant=tenant_id, contact_job=job_id):
        try:
            with tenant_session(tenant_id) as session:
                document = _run(session, tenant_id, job_id)
        except Cancelled:
            document = _close(tenant_id, job_id, JobState.CANCELLED, None)
        except AppError as error:
            document = _close(tenant_id, job_id, JobState.FAILED, {"code": error.code, "message": error.message})
        except psycopg.OperationalError:
            raise  # the database is away: the lease runs out and the job is taken up again
        except Exception:
            log.exception("job %s failed", job_id)
            message = "It failed on the server. Nothing was changed. Try again; the log has the details."
            document = _close(tenant_id, job_id, JobState.FAILED, {"code": "internal", "message": message})
        if document is not None:
            announce(tenant_id, document)
            streams.client().delete(lease_key(job_id))


def _close(tenant_id: int, job_id: str, state: JobState, error: dict[str, Any] | None) -> Progress | None:
    with tenant_session(tenant_id) as session:
        job = session.get(ContactJob, job_id)
        if job is None or job.state not in _OPEN:
            return None
        job.state, job.error, job.finished_at, job.counts = state, error, utc_now(), {}
        return progress_of(job)


def _mark_running(tenant_id: int, job_id: str) -> bool:
    """Whether the job is still to be done; marks it as running in a transaction of its own."""
    with tenant_session(tenant_id) as session:
        wanted = update(ContactJob).where(ContactJob.id == job_id, ContactJob.state.in_(_OPEN))
        done = session.execute(wanted.values(state=JobState.RUNNING, started_at=utc_now()))
        return bool(done.rowcount)  # type: ignore[attr-defined]  # of an UPDATE it is there


def _run(session: Session, tenant_id: int, job_id: str) -> Progress | None:
    lock = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:id, 732))")
    if not session.execute(lock, {"id": job_id}).scalar_one():
        log.info("another worker runs this job")
        return None
    if not _mark_running(tenant_id, job_id):
        return None
    job = session.get(ContactJob, job_id)
    if job is None:
        return None
    user = session.get(User, job.created_by) if job.created_by is not None else None
    if user is None:
        raise AppError("The user who started this is gone.", code="user_gone")
    actor = Actor(tenant_id, user.id, user.name, permissions=permissions_of(user.roles))
    connection = driver_connection(session)
    phase = "reading" if job.kind == JobKind.IMPORT else "writing"
    document = replace(progress_of(job), state=JobState.RUNNING.value, phase=phase, error=None, rows=0)
    watch = Watch(document, connection, partial(announce, tenant_id))
    try:
        with watch.stopping():
            work = _import if job.kind == JobKind.IMPORT else _export
            work(session, actor, job, user.locale, watch)
        watch.check()
        job.state, job.error, job.finished_at = JobState.DONE, None, utc_now()
        record(session, actor, job.kind, "contact", job.id, name=job.file_name, after=job.counts)
        session.flush()
        return progress_of(job)
    finally:
        watch.end()


def _import(session: Session, actor: Actor, job: ContactJob, locale: str, watch: Watch[Progress]) -> None:
    plan = read_plan(job.settings)
    path = file_path(job)
    if not path.exists():
        raise AppError("The uploaded file is gone. Upload it again.", code="file_gone")
    source = (path, sniff(path).kind)
    connection = driver_connection(session)
    counts = load(session, connection, actor, source, plan, utc_now().year, watch.tick)
    if sum(counts[k] for k in REJECTED_COUNTS):
        watch.tick(force=True, phase="rejects", counts=counts)
        target = rejected_path(job)
        write_rejects(target, source, plan.reading, loading.rejected_rows(connection), locale, watch.tick)
        job.rejected_path = str(target.relative_to(config.load().var))
    job.counts = counts


def _export(session: Session, actor: Actor, job: ContactJob, locale: str, watch: Watch[Progress]) -> None:
    target = file_path(job)
    target.parent.mkdir(parents=True, exist_ok=True)
    ids = _wanted(session, actor, job.settings)
    watch.tick(force=True, total=len(ids), counts={"total": len(ids)})
    write = sheet.write_csv if job.settings["format"] == "csv" else sheet.write_xlsx
    write(target, locale, _rows(session, actor, ids, watch))
    job.counts, job.size_bytes = {"total": len(ids)}, target.stat().st_size


def _wanted(session: Session, actor: Actor, settings: dict[str, Any]) -> list[int]:
    """Ids of the contacts to export, in the order of the page."""
    if settings.get("ids"):
        query = select(Contact.id).where(Contact.id.in_(settings["ids"]), seen_by(actor, Contact))
        return list(session.scalars(query.order_by(Contact.name_key, Contact.id)))
    enterprise = session.scalars(select(Enterprise)).one()
    today = utc_now().astimezone(ZoneInfo(enterprise.time_zone)).date()
    which = Filter(**(settings.get("filter") or {}))
    query = contacts(session, actor, which, country=enterprise.country, today=today).with_only_columns(Contact.id)
    return list(session.scalars(query))


def _rows(session: Session, actor: Actor, ids: list[int], watch: Watch[Progress]) -> Iterator[list[str]]:
    tree = load_tree(session, actor)
    paths = {i: path_of(i, tree) for i in tree}
    for at in range(0, len(ids), _PAGE):
        part = ids[at : at + _PAGE]
        found = {c.id: c for c in session.scalars(select(Contact).where(Contact.id.in_(part)))}
        groups = groups_of(session, part, tree)
        for contact_id in part:
            if contact := found.get(contact_id):
                phones = [shown(p, actor) for p in contact.phones]
                yield sheet.row_of(contact, phones, [paths[g] for g in groups.get(contact_id, ())])
        for contact in found.values():
            session.expunge(contact)
        watch.tick(rows=at + len(part))


def in_book(session: Session, actor: Actor, phones: list[str]) -> set[str]:
    """Those of `phones` that a contact seen by `actor` has."""
    if not phones:
        return set()
    number = bindparam(None, phones, type_=ARRAY(Text))
    query = select(Contact.phones).where(
        Contact.id.in_(select(func.contacts_with_phone(number))), seen_by(actor, Contact)
    )
    return {p for found in session.scalars(query) for p in found} & set(phones)


def recover() -> int:
    """Queue again what a dead worker or a lost Redis left behind; returns how many. Called every 10 s."""
    with platform_session() as session:
        waiting = session.execute(
            select(ContactJob.tenant_id, ContactJob.id).where(ContactJob.state.in_(_OPEN))
        ).all()  # fmt: skip
    client = streams.client()
    queue = Queue(QUEUE, connection=client)
    queued = set(queue.job_ids) if waiting else set()
    again = 0
    for tenant_id, job_id in waiting:
        if _name(job_id) in queued or client.exists(lease_key(job_id)):
            continue
        stale = queue.fetch_job(_name(job_id))
        if stale is not None:
            # A worker may have taken it a moment ago and not reached its first beat yet.
            taken = stale.started_at or stale.enqueued_at
            if taken is not None and (utc_now() - taken.astimezone()).total_seconds() < LEASE_S:
                continue
            stale.delete()
        enqueue(tenant_id, job_id)
        again += 1
        log.warning("job %s of the address book was left by a dead worker and is queued again", job_id)
    return again


def sweep() -> int:
    """Remove the files of jobs that were last touched KEEP_DAYS ago; their rows stay. Returns how many files."""
    before = utc_now() - timedelta(days=KEEP_DAYS)
    with platform_session() as session:
        old = session.scalars(
            select(ContactJob).where(ContactJob.state.not_in(_OPEN), ContactJob.updated_at < before)
        )  # fmt: skip
        paths = [p for job in old for p in (file_path(job), rejected_path(job))]
    removed = 0
    for path in paths:
        if path.is_file():
            path.unlink()
            removed += 1
    return removed
