"""Changes of menus: drafts, publishing, going back. Each writes row and audit, and tells the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg.errors
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from callcenter import wire
from callcenter.audit.models import Actor, record
from callcenter.db.outbox import settings_changed
from callcenter.errors import Conflict, InvalidInput
from ivr import queries, used
from ivr.compare import Difference, compare
from ivr.flow import Flow, stored
from ivr.models import FlowRow, FlowVersion
from ivr.validate import validate
from ivr.verb import Severity

ENTITY = "flow"


class ChangedMeanwhile(Conflict):
    """Somebody else has saved the draft since it was loaded: `params` say who (`by`) and the newest `revision`."""

    code = "flow.changed"


class HasErrors(Conflict):
    """Not to be published: `params["findings"]` are all that is wrong."""

    code = "flow.has_errors"


class InUse(Conflict):
    """Numbers, queues or other menus lead to it; `params["used_by"]` names them."""

    code = "flow.in_use"


def create(
    session: Session, actor: Actor, name: str, description: str = "", flow: Mapping[str, Any] | None = None
) -> FlowRow:
    """A new menu: a draft that nobody hears yet."""
    draft = dict(flow) if flow is not None else wire.plain(Flow(start="", nodes=()))
    row = FlowRow(name=name.strip(), description=description, draft=draft, changed_by=actor.name)
    session.add(row)
    _flush(session)
    session.refresh(row)
    record(session, actor, "create", ENTITY, row.id, name=row.name, after={"name": row.name})
    return row


def rename(session: Session, actor: Actor, flow_id: int, changes: Mapping[str, str]) -> FlowRow:
    """Another name or description."""
    row = queries.find(session, flow_id, lock=True)
    before = {"name": row.name, "description": row.description}
    row.name = changes.get("name", row.name).strip()
    row.description = changes.get("description", row.description)
    _flush(session)
    after = {"name": row.name, "description": row.description}
    record(session, actor, "update", ENTITY, row.id, name=row.name, before=before, after=after)
    settings_changed(session, ENTITY, row.id)
    return row


def save_draft(session: Session, actor: Actor, flow_id: int, revision: int, flow: Mapping[str, Any]) -> FlowRow:
    """Save what the editor shows; callers hear it only once it is published. Raises ChangedMeanwhile."""
    row = _current(session, flow_id, revision)
    told = _told(compare(stored(row.draft), stored(flow)))
    before = {"revision": row.revision}
    row.draft, row.revision, row.changed_by = dict(flow), row.revision + 1, actor.name
    session.flush()
    after = {"revision": row.revision, **told}
    record(session, actor, "update", ENTITY, row.id, name=row.name, before=before, after=after)
    return row


def publish(session: Session, actor: Actor, flow_id: int, revision: int, note: str = "") -> FlowRow:
    """Make the draft a version and let callers hear it from their next call on. Raises ChangedMeanwhile, HasErrors."""
    row = _current(session, flow_id, revision)
    findings = validate(stored(row.draft), queries.known(session), row.id)
    if any(f.severity is Severity.ERROR for f in findings):
        raise HasErrors("The menu has errors. Mend them first.", params={"findings": [f.plain() for f in findings]})
    last = session.scalar(select(func.max(FlowVersion.version)).where(FlowVersion.flow_id == row.id)) or 0
    session.add(
        FlowVersion(flow_id=row.id, version=last + 1, flow=row.draft, note=note.strip(), published_by=actor.name)
    )
    _hear(session, actor, row, last + 1, "publish")
    return row


def roll_back(session: Session, actor: Actor, flow_id: int, version: int) -> FlowRow:
    """Let callers hear an earlier (or later) version again. The draft stays as it is. Raises NotFound, HasErrors if
    that version points at what is gone."""
    row = queries.find(session, flow_id, lock=True)
    found = queries.version(session, row.id, version)
    findings = validate(stored(found.flow), queries.known(session), row.id)
    if any(f.severity is Severity.ERROR for f in findings):
        raise HasErrors(
            "This version does not work any more: something it points at is gone.",
            params={"findings": [f.plain() for f in findings]},
        )
    _hear(session, actor, row, version, "roll_back")
    return row


def copy(session: Session, actor: Actor, flow_id: int, name: str) -> FlowRow:
    """A new menu with the same draft, not published."""
    row = queries.find(session, flow_id)
    return create(session, actor, name, row.description, row.draft)


def delete(session: Session, actor: Actor, flow_id: int) -> None:
    """Remove a menu with its versions and figures. Raises InUse while something leads to it."""
    row = queries.find(session, flow_id, lock=True)
    users = used.users(session).get(row.id, [])
    if users:
        raise InUse("Something still leads to this menu. Change that first.", params={"used_by": users})
    before = {"name": row.name, "published": row.published, "draft": row.draft}
    session.delete(row)
    session.flush()
    record(session, actor, "delete", ENTITY, flow_id, name=row.name, before=before)
    settings_changed(session, ENTITY, flow_id)


def _told(found: Difference) -> dict[str, list[str]]:
    """What the audit log keeps of a saved draft: which nodes, not the whole graph each time."""
    changed = sorted({c.after.id for c in found.changed} | {w.node for w in found.ways})
    told = {
        "nodes_added": [n.id for n in found.added],
        "nodes_removed": [n.id for n in found.removed],
        "nodes_changed": [n for n in changed if n not in {m.id for m in (*found.added, *found.removed)}],
    }
    return {name: nodes for name, nodes in told.items() if nodes}


def _hear(session: Session, actor: Actor, row: FlowRow, version: int, action: str) -> None:
    before, row.published = row.published, version
    session.flush()
    record(
        session, actor, action, ENTITY, row.id, name=row.name, before={"published": before},
        after={"published": version},
    )  # fmt: skip
    settings_changed(session, ENTITY, row.id)


def _current(session: Session, flow_id: int, revision: int) -> FlowRow:
    row = queries.find(session, flow_id, lock=True)
    if row.revision != revision:
        raise ChangedMeanwhile(
            "Somebody else has changed this menu meanwhile.",
            params={"by": row.changed_by, "revision": row.revision, "at": row.updated_at.isoformat()},
        )
    return row


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        cause = error.orig
        if isinstance(cause, psycopg.errors.UniqueViolation) and cause.diag.constraint_name == "uq_flow_tenant_id_name":
            sentence = "Another menu has this name. Choose another."
            raise InvalidInput(sentence, code="flow.name_taken", fields={"name": sentence}) from error
        raise
