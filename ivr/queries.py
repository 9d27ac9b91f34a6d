"""Menus as lists, the editor and the figures show them, and what they can point at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from callcenter import wire
from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.db.base import Base
from callcenter.errors import InvalidInput, NotFound
from callcenter.tenancy.models import Enterprise
from ivr.findings import Finding
from ivr.flow import Flow
from ivr.models import FlowNodeDay, FlowRow, FlowVersion, SurveyAnswerRow
from ivr.simulate import simulate
from ivr.used import Users, users
from ivr.validate import Known, validate
from ivr.verb import Severity
from ivr.world import FloorWorld

HANG_UP = "hang_up"  # the way of a caller who left the call
DAYS = 30  # of figures, where no dates are given
DAYS_MAX = 400


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


def graph(stored: Any) -> Flow:
    """What lies in a table as a flow; an empty one if it can't be read."""
    try:
        return wire.convert(stored, Flow)
    except msgspec.ValidationError:
        return Flow(start="", nodes=())


def graph_of(session: Session, row: FlowRow, number: int) -> Flow:
    """The flow of a version, or for 0 the draft. Raises NotFound."""
    return graph(row.draft if number == 0 else version(session, row.id, number).flow)


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
        "nodes": len(graph(row.draft).nodes),
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
        "draft": wire.plain(graph(row.draft)),
        "revision": row.revision,
        "published_version": {**version_line(row, published), "flow": wire.plain(graph(published.flow))}
        if published is not None
        else None,
        **counted(validate(graph(row.draft), known(session), row.id)),
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
    agents = session.execute(select(User.id, User.name).where(User.enabled).order_by(User.name, User.id))
    flows = session.execute(select(FlowRow.id, FlowRow.name).order_by(FlowRow.name, FlowRow.id))
    return {
        "queues": _named(session, "queue"),
        "flows": [{"id": i, "name": n} for i, n in flows],
        "agents": [{"id": i, "name": n} for i, n in agents],
        "prompts": _named(session, "prompt"),
        "calendars": _named(session, "calendar"),
    }


def known(session: Session) -> Known:
    """Ids that exist. Menus: those that were published."""
    published = session.scalars(select(FlowRow.id).where(FlowRow.published.is_not(None)))
    return Known(
        queues=_ids(session, "queue"),
        flows=frozenset(published),
        agents=frozenset(session.scalars(select(User.id))),
        prompts=_ids(session, "prompt"),
        calendars=_ids(session, "calendar"),
    )


def _ids(session: Session, table: str) -> frozenset[int] | None:
    found = Base.metadata.tables.get(table)
    return None if found is None else frozenset(session.scalars(select(found.c.id)))


def _named(session: Session, table: str) -> list[dict[str, Any]]:
    found = Base.metadata.tables.get(table)
    if found is None:
        return []
    rows = session.execute(select(found.c.id, found.c.name).order_by(found.c.name, found.c.id))
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
    drawn = graph(flow or row.draft)
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
    *_, zone = period(session, None, None)
    world = FloorWorld(zone.key)
    return simulate(doc, inputs, others=others, variables=variables, world=world, now=utc_now().timestamp())


# ---------------------------------------------------------------------------------------------------------- figures


def period(session: Session, first: date | None, last: date | None) -> tuple[date, date, ZoneInfo]:
    """The days asked for, both included, in the enterprise's zone; the last 30 if nothing is said. Raises
    InvalidInput."""
    zone = ZoneInfo(
        session.scalars(select(Enterprise.time_zone).where(Enterprise.id == session.info["tenant_id"])).one()
    )
    last = last or utc_now().astimezone(zone).date()
    first = first or last - timedelta(days=DAYS - 1)
    if not 0 <= (last - first).days < DAYS_MAX:
        sentence = f"Choose from one day to {DAYS_MAX} days, the first not after the last."
        raise InvalidInput(sentence, code="bad_period", fields={"from": sentence})
    return first, last, zone


def figures(
    session: Session, flow_id: int, first: date | None, last: date | None, number: int | None
) -> dict[str, Any]:
    """Per node: how many callers were in it, hung up in it, how long they stayed, which ways they took."""
    first, last, _ = period(session, first, last)
    query = (
        select(FlowNodeDay.node_id, FlowNodeDay.way, func.sum(FlowNodeDay.calls), func.sum(FlowNodeDay.seconds))
        .where(FlowNodeDay.flow_id == flow_id, FlowNodeDay.day.between(first, last))
        .group_by(FlowNodeDay.node_id, FlowNodeDay.way)
    )
    if number is not None:
        query = query.where(FlowNodeDay.version == number)
    ways: dict[str, dict[str, int]] = defaultdict(dict)
    seconds: dict[str, float] = defaultdict(float)
    for node, way, calls, spent in session.execute(query):
        ways[node][way] = int(calls)
        seconds[node] += float(spent)
    return {"from_": first, "to": last, "nodes": [_node_figures(n, ways[n], seconds[n]) for n in sorted(ways)]}


def _node_figures(node: str, ways: Mapping[str, int], seconds: float) -> dict[str, Any]:
    reached = sum(ways.values())
    return {
        "node": node,
        "reached": reached,
        "left": ways.get(HANG_UP, 0),
        "average_s": round(seconds / reached, 2) if reached else None,
        "ways": dict(ways),
    }


def answers(session: Session, flow_id: int, first: date | None, last: date | None, node: str) -> Select[Any]:
    """Answers to survey questions, the newest first."""
    first, last, zone = period(session, first, last)
    begin = datetime.combine(first, time(0), tzinfo=zone).astimezone(UTC)
    end = datetime.combine(last + timedelta(days=1), time(0), tzinfo=zone).astimezone(UTC)
    query = (
        select(SurveyAnswerRow)
        .where(SurveyAnswerRow.flow_id == flow_id, SurveyAnswerRow.at >= begin, SurveyAnswerRow.at < end)
        .order_by(SurveyAnswerRow.at.desc(), SurveyAnswerRow.id)
    )
    return query.where(SurveyAnswerRow.node_id == node) if node else query
