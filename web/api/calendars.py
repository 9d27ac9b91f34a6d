"""Calendars: opening hours, holidays and special days."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from flask_smorest import Blueprint
from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.audit import records
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.numbers import actions, queries
from callcenter.numbers.calendar import hours_at, next_opening
from callcenter.numbers.documents import calendar_doc
from callcenter.numbers.models import CalendarRow, DidNumber
from callcenter.tenancy.models import Enterprise
from web.http import current_actor, paged, requires, tenant_id
from web.schemas.numbers import (
    CalendarChangesSchema,
    CalendarPageSchema,
    CalendarQuery,
    CalendarSchema,
    NewCalendarSchema,
)

blueprint = Blueprint("calendars", __name__, url_prefix="/api/calendars", description="Opening hours")


@blueprint.get("")
@requires("numbers.read")
@blueprint.arguments(CalendarQuery, location="query")
@blueprint.response(200, CalendarPageSchema)
def list_calendars(args: dict[str, Any]) -> dict[str, Any]:
    """All calendars, by name."""
    with tenant_session(tenant_id()) as db:
        page = paged(db, queries.calendars(args["search"]), args)
        page["items"] = _shown(db, page["items"])
        return page


@blueprint.post("")
@requires("numbers.write")
@blueprint.arguments(NewCalendarSchema)
@blueprint.response(201, CalendarSchema)
def create_calendar(given: dict[str, Any]) -> dict[str, Any]:
    """A new calendar."""
    with tenant_session(tenant_id()) as db:
        return _shown(db, [actions.create_calendar(db, current_actor(), given)])[0]


@blueprint.get("/<int:calendar_id>")
@requires("numbers.read")
@blueprint.response(200, CalendarSchema)
def get_calendar(calendar_id: int) -> dict[str, Any]:
    """One calendar."""
    with tenant_session(tenant_id()) as db:
        return _shown(db, [records.find(db, CalendarRow, calendar_id)])[0]


@blueprint.patch("/<int:calendar_id>")
@requires("numbers.write")
@blueprint.arguments(CalendarChangesSchema)
@blueprint.response(200, CalendarSchema)
def change_calendar(given: dict[str, Any], calendar_id: int) -> dict[str, Any]:
    """Change it; the next call is judged by it."""
    with tenant_session(tenant_id()) as db:
        return _shown(db, [actions.update_calendar(db, current_actor(), calendar_id, given)])[0]


@blueprint.delete("/<int:calendar_id>")
@requires("numbers.write")
@blueprint.response(204)
def delete_calendar(calendar_id: int) -> None:
    """Delete one that no number and no menu opens by; else 409 `calendar.in_use` with `params.used_by`."""
    with tenant_session(tenant_id()) as db:
        actions.delete_calendar(db, current_actor(), calendar_id)


def _shown(db: Session, rows: Iterable[CalendarRow]) -> list[dict[str, Any]]:
    zone = db.scalar(select(Enterprise.time_zone).where(Enterprise.id == tenant_id())) or "UTC"
    now = utc_now().timestamp()
    numbers: dict[int | None, list[str]] = {}
    for name, calendar_id in db.execute(select(DidNumber.name, DidNumber.calendar_id).order_by(DidNumber.name)):
        numbers.setdefault(calendar_id, []).append(name)
    out = []
    for row in rows:
        doc = calendar_doc(row)
        hours, opens = hours_at(doc, now, zone), next_opening(doc, now, zone)
        shown = {"id": row.id, **records.content(row), "hours": hours.state.value, "day_name": hours.day_name}
        shown["next_opening"] = datetime.fromtimestamp(opens, UTC) if opens is not None else None
        shown["numbers"] = numbers.get(row.id, [])
        out.append(shown)
    return out
