"""Menus as the list and the editor show them, and what they can point at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from callcenter import wire
from callcenter.acd.models import Queue
from callcenter.acd.queries import agents
from callcenter.clock import utc_now
from callcenter.errors import NotFound
from callcenter.numbers.models import CalendarRow
from callcenter.prompts.models import Prompt
from ivr.figures import zone_of
from ivr.findings import Finding
from ivr.flow import Flow, stored
from ivr.models import FlowRow, FlowVersion
from ivr.simulate import simulate
from ivr.used import Users, users
from ivr.validate import Known, validate
from ivr.verb import Severity
from ivr.world import FloorWorld


def find(session: Session, flow_id: int, *, lock: bool = False) -> FlowRow:
    """A menu of this enterprise, with `lock` held until the transaction ends. Raises NotFound."""
    query = select(FlowRow).where(FlowRow.id == flow_id)
    row = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("There is no such menu.")
    return row


def version(session: Session, flow_id: int, number: int) -> FlowVersion:
    """A published version. Raises NotFound."""
    query = select(FlowVersion).where(FlowVersion.flow_id == flow_id, FlowVersion.version == number)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise NotFound("There is no such version.")
    return row


def graph_of(session: Session, row: FlowRow, number: int) -> Flow:
    """The flow of a version, or for 0 the draft. Raises NotFound."""
    return stored(row.draft if number == 0 else version(session, row.id, number).flow)


def listed(search: str) -> Select[Any]:
    """All menus by name."""
    query = select(FlowRow).order_by(FlowRow.name, FlowRow.id)
    return query.where(FlowRow.name.icontains(search, autoescape=True)) if search else query


def summary(session: Session, row: FlowRow) -> dict[str, Any]:
    """One line of the list."""
    return _summary(row, _published(session, [row]).get(row.id), users(session))


def summaries(session: Session, rows: list[FlowRow]) -> list[dict[str, Any]]:
    """Lines of the list."""
    published = _published(session, rows)
    leading = users(session)
    return [_summary(row, published.get(row.id), leading) for row in rows]


def _published(session: Session, rows: list[FlowRow]) -> dict[int, FlowVersion]:
    query = (
        select(FlowVersion)
        .join(FlowRow, FlowRow.id == FlowVersion.flow_id)
        .where(FlowRow.id.in_([r.id for r in rows]), FlowVersion.version == FlowRow.published)
    )
    return {v.flow_id: v for v in session.scalars(query)}


def _summary(row: FlowRow, published: FlowVersion | None, leading: Users) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "nodes": len(stored(row.draft).nodes),
        "published": row.published,
        "draft_changed": published is None or published.flow != row.draft,
        "used_by": leading.get(row.id, []),
        "changed_by": row.changed_by,
        "updated_at": row.updated_at,
    }


def detail(session: Session, row: FlowRow) -> dict[str, Any]:
    """All that the editor begins with."""
    published = version(session, row.id, row.published) if row.published is not None else None
    return {
        **summary(session, row),
        "draft": wire.plain(stored(row.draft)),
        "revision": row.revision,
        "published_version": {**version_line(row, published), "flow": wire.plain(stored(published.flow))}
        if published is not None
        else None,
        **counted(validate(stored(row.draft), known(session), row.id)),
    }


def version_line(row: FlowRow, found: FlowVersion) -> dict[str, Any]:
    """One line of a menu's versions."""
    return {
        "version": found.version,
        "note": found.note,
        "published_at": found.published_at,
        "published_by": found.published_by,
        "current": found.version == row.published,
    }


def versions(flow_id: int) -> Select[Any]:
    """The newest first."""
    return select(FlowVersion).where(FlowVersion.flow_id == flow_id).order_by(FlowVersion.version.desc())


def counted(findings: list[Finding]) -> dict[str, Any]:
    """Findings for the API, with how many of each severity."""
    errors = sum(f.severity is Severity.ERROR for f in findings)
    return {"findings": [f.plain() for f in findings], "errors": errors, "warnings": len(findings) - errors}


# ------------------------------------------------------------------------------------------ what menus can point at


def options(session: Session) -> dict[str, list[dict[str, Any]]]:
    """Ids and names, by kind: queues, flows, agents, prompts, calendars."""
    return {
        "queues": _named(session, Queue),
        "flows": _named(session, FlowRow),
        "agents": [{"id": u.id, "name": u.name} for u in agents(session)],
        "prompts": _named(session, Prompt),
        "calendars": _named(session, CalendarRow),
    }


def known(session: Session) -> Known:
    """Ids that exist. Menus: those that were published."""
    published = session.scalars(select(FlowRow.id).where(FlowRow.published.is_not(None)))
    return Known(
        queues=frozenset(session.scalars(select(Queue.id))),
        flows=frozenset(published),
        agents=frozenset(u.id for u in agents(session)),
        prompts=frozenset(session.scalars(select(Prompt.id))),
        calendars=frozenset(session.scalars(select(CalendarRow.id))),
    )


def _named(session: Session, kind: type[FlowRow | Queue | Prompt | CalendarRow]) -> list[dict[str, Any]]:
    rows = session.execute(select(kind.id, kind.name).order_by(kind.name, kind.id))
    return [{"id": i, "name": n} for i, n in rows]


def document(session: Session, flow_id: int) -> dict[str, Any] | None:
    """What the engine knows of a menu: the version that is published; None without one."""
    query = (
        select(FlowRow.name, FlowVersion.version, FlowVersion.flow)
        .join(FlowVersion, (FlowVersion.flow_id == FlowRow.id) & (FlowVersion.version == FlowRow.published))
        .where(FlowRow.id == flow_id)
    )
    found = session.execute(query).one_or_none()
    return None if found is None else {"id": flow_id, "name": found[0], "version": found[1], "flow": found[2]}


def simulated(
    session: Session,
    row: FlowRow,
    flow: Mapping[str, Any] | None,
    inputs: list[dict[str, Any]],
    variables: Mapping[str, str],
) -> dict[str, Any]:
    """What a caller would hear of `flow`, or of the draft, who does `inputs`."""
    drawn = stored(flow or row.draft)
    doc = {"id": row.id, "name": row.name, "version": 0, "flow": wire.plain(drawn)}
    others = {
        r.id: {
            "id": r.id,
            "name": r.name,
            "version": r.published,
            "flow": wire.plain(graph_of(session, r, r.published)),
        }
        for r in session.scalars(select(FlowRow).where(FlowRow.published.is_not(None), FlowRow.id != row.id))
        if r.published is not None
    }
    world = FloorWorld(zone_of(session).key)
    return simulate(doc, inputs, others=others, variables=variables, world=world, now=utc_now().timestamp())
