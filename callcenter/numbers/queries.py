"""Numbers and calendars as lists, what leads to a menu, queue or agent, and where a call would go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, Table, or_, select, text
from sqlalchemy.orm import Session

from callcenter.auth.models import Role, User, UserRole
from callcenter.calls.destination import DestinationKind
from callcenter.db.base import Base
from callcenter.numbers.calendar import CalendarDoc
from callcenter.numbers.checks import TABLES
from callcenter.numbers.documents import calendar_doc
from callcenter.numbers.models import CalendarRow, DidNumber

_PLACES = ("open_to", "closed_to", "holiday_to")


def numbers(search: str = "", calendar_id: int | None = None) -> Select[Any]:
    """The enterprise's numbers, by name."""
    query: Select[Any] = select(DidNumber).order_by(DidNumber.name, DidNumber.e164)
    if search := search.strip():
        digits = "".join(c for c in search if c.isdigit())
        found = [DidNumber.name.icontains(search, autoescape=True)]
        if digits:
            found.append(DidNumber.e164.contains(digits, autoescape=True))
        query = query.where(or_(*found))
    if calendar_id is not None:
        query = query.where(DidNumber.calendar_id == calendar_id)
    return query


def calendars(search: str = "") -> Select[Any]:
    """The enterprise's calendars, by name."""
    query: Select[Any] = select(CalendarRow).order_by(CalendarRow.name, CalendarRow.id)
    return query.where(CalendarRow.name.icontains(search.strip(), autoescape=True)) if search.strip() else query


def calendar_docs(session: Session) -> dict[int, CalendarDoc]:
    """All calendars as routing reads them."""
    return {row.id: calendar_doc(row) for row in session.scalars(select(CalendarRow))}


def calendar_uses(session: Session, calendar_id: int) -> list[dict[str, Any]]:
    """What opens by a calendar: {"kind": number or menu, "id", "name"}."""
    out = [
        {"kind": "number", "id": row.id, "name": row.name}
        for row in session.scalars(numbers(calendar_id=calendar_id))
    ]  # fmt: skip
    if "flow" in Base.metadata.tables:
        found = session.execute(
            text(
                "SELECT f.id, f.name FROM flow f"
                " LEFT JOIN flow_version v ON v.flow_id = f.id AND v.version = f.published"
                " WHERE jsonb_path_exists(f.draft, '$.** ? (@.calendar == $id)', CAST(:vars AS jsonb))"
                " OR jsonb_path_exists(v.flow, '$.** ? (@.calendar == $id)', CAST(:vars AS jsonb)) ORDER BY f.name"
            ),
            {"vars": f'{{"id": {int(calendar_id)}}}'},
        )
        out += [{"kind": "menu", "id": row.id, "name": row.name} for row in found]
    return out


def uses(session: Session, kind: DestinationKind, row_id: int) -> list[dict[str, Any]]:
    """The numbers that lead to a menu, queue, agent or box: {"kind": "number", "id", "name"}. Whoever deletes one of
    these asks first."""
    out = []
    for row in session.scalars(numbers()):
        named = [getattr(row, place) for place in _PLACES] + [rule.get("to") for rule in row.rules]
        if any(to and to.get("kind") == kind and to.get("id") == row_id for to in named):
            out.append({"kind": "number", "id": row.id, "name": row.name})
    return out


def names(session: Session, destinations: Iterable[dict[str, Any] | None]) -> dict[tuple[str, int], str]:
    """(kind, id) → name, of all `destinations` that have one."""
    wanted: dict[str, set[int]] = {}
    for to in destinations:
        if to and to.get("id") is not None:
            wanted.setdefault(to["kind"], set()).add(to["id"])
    out: dict[tuple[str, int], str] = {}
    for kind, ids in wanted.items():
        table = Base.metadata.tables.get(TABLES.get(DestinationKind(kind), ""))
        if table is not None:
            rows = session.execute(_of_tenant(session, table).where(table.c.id.in_(ids)))
            out |= {(kind, row.id): row.name for row in rows}
    return out


def named(to: dict[str, Any] | None, known: dict[tuple[str, int], str]) -> dict[str, Any] | None:
    """A destination with the name that is shown; None for one of which the row is gone."""
    if not to:
        return None
    row_id = to.get("id")
    name = to.get("number") or (known.get((to["kind"], row_id)) if row_id is not None else "")
    return {"kind": to["kind"], "id": row_id, "number": to.get("number", ""), "name": name}


def choices(session: Session) -> dict[str, list[dict[str, Any]]]:
    """What a call can be sent to: menus, queues and agents, each {"id", "name", "ready"}. A menu is ready when a
    version of it is published, a queue when it is enabled."""
    agents = (
        select(User.id, User.name)
        .join(UserRole, UserRole.user_id == User.id)
        .join(Role, Role.id == UserRole.role_id)
        .where(User.enabled, Role.enabled, Role.permissions.contains(["desk.use"]))
        .distinct()
        .order_by(User.name, User.id)
    )
    return {
        "menus": _choices(session, "flow", "published IS NOT NULL"),
        "queues": _choices(session, "queue", "enabled"),
        "agents": [{"id": row.id, "name": row.name, "ready": True} for row in session.execute(agents)],
    }


def _choices(session: Session, table_name: str, ready: str) -> list[dict[str, Any]]:
    table = Base.metadata.tables.get(table_name)
    if table is None:
        return []
    query = _of_tenant(session, table).add_columns(text(f"({ready}) AS ready"))
    return [{"id": row.id, "name": row.name, "ready": row.ready} for row in session.execute(query)]


def _of_tenant(session: Session, table: Table) -> Select[Any]:
    own = table.c.tenant_id == session.info["tenant_id"]
    return select(table.c.id, table.c.name).where(own).order_by(table.c.name, table.c.id)
