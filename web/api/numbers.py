"""Our numbers: where their calls go, and where a call would go."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Any

from flask_smorest import Blueprint
from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.audit import records
from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.numbers import actions, queries
from callcenter.numbers.calendar import hours_at
from callcenter.numbers.documents import number_doc
from callcenter.numbers.models import CalendarRow, DidNumber
from callcenter.numbers.routing import Routed, route
from callcenter.tenancy.models import Enterprise
from crm.queries.callers import who_calls
from web.agents_on import on_shift
from web.http import current_actor, paged, requires, tenant_id
from web.schemas.numbers import (
    DestinationChoicesSchema,
    NewNumberSchema,
    NumberChangesSchema,
    NumberPageSchema,
    NumberQuery,
    NumberSchema,
    TriedNumberSchema,
    TryNumberSchema,
)

blueprint = Blueprint("numbers", __name__, url_prefix="/api/numbers", description="Our numbers")


@blueprint.get("")
@requires("numbers.read")
@blueprint.arguments(NumberQuery, location="query")
@blueprint.response(200, NumberPageSchema)
def list_numbers(args: dict[str, Any]) -> dict[str, Any]:
    """All numbers, by name."""
    with tenant_session(tenant_id()) as db:
        page = paged(db, queries.numbers(args["search"]), args)
        page["items"] = _shown(db, page["items"])
        return page


@blueprint.post("")
@requires("numbers.write")
@blueprint.arguments(NewNumberSchema)
@blueprint.response(201, NumberSchema)
def create_number(given: dict[str, Any]) -> dict[str, Any]:
    """A new number. It is one enterprise's in the whole installation: 422 `number.taken`."""
    with tenant_session(tenant_id()) as db:
        return _shown(db, [actions.create_number(db, current_actor(), given)])[0]


@blueprint.get("/destinations")
@requires()
@blueprint.response(200, DestinationChoicesSchema)
def get_destinations() -> dict[str, Any]:
    """Menus, queues and agents that a call can be sent to."""
    with tenant_session(tenant_id()) as db:
        return queries.choices(db)


@blueprint.get("/<int:number_id>")
@requires("numbers.read")
@blueprint.response(200, NumberSchema)
def get_number(number_id: int) -> dict[str, Any]:
    """One number."""
    with tenant_session(tenant_id()) as db:
        return _shown(db, [records.find(db, DidNumber, number_id)])[0]


@blueprint.patch("/<int:number_id>")
@requires("numbers.write")
@blueprint.arguments(NumberChangesSchema)
@blueprint.response(200, NumberSchema)
def change_number(given: dict[str, Any], number_id: int) -> dict[str, Any]:
    """Change it; the next call is routed by it."""
    with tenant_session(tenant_id()) as db:
        return _shown(db, [actions.update_number(db, current_actor(), number_id, given)])[0]


@blueprint.delete("/<int:number_id>")
@requires("numbers.write")
@blueprint.response(204)
def delete_number(number_id: int) -> None:
    """Remove it: its callers are refused."""
    with tenant_session(tenant_id()) as db:
        actions.delete_number(db, current_actor(), number_id)


@blueprint.post("/<int:number_id>/try")
@requires("numbers.read")
@blueprint.arguments(TryNumberSchema)
@blueprint.response(200, TriedNumberSchema)
def try_number(given: dict[str, Any], number_id: int) -> dict[str, Any]:
    """Where a call would go. Who is on shift is asked of this moment, whatever `at` says."""
    at = given["at"].astimezone(UTC) if given.get("at") is not None else utc_now()
    with tenant_session(tenant_id()) as db:
        number = number_doc(records.find(db, DidNumber, number_id))
        zone, country = _place(db)
        caller = who_calls(db, given["caller"], country)
        there = route(
            number, queries.calendar_docs(db), caller, at.timestamp(), zone, on_shift=on_shift(tenant_id())
        )  # fmt: skip
        to = {"kind": there.destination.kind.value, "id": there.destination.id, "number": there.destination.number}
        reason, _, place = there.reason.partition(":")
        return {
            "to": queries.named(to, queries.names(db, [to])),
            "reason": reason,
            "rule": int(place) if place else None,
            "hours": there.hours.value,
            "day_name": there.day_name,
            "priority": there.priority,
            "preferred_agent": _preferred(db, there),
            "at": at,
            "caller": {
                "number": caller.number,
                "name": caller.matches[0].name if caller.matches else "",
                "matches": len(caller.matches),
                "vip": any(m.vip for m in caller.matches),
                "blacklisted": caller.blacklisted,
                "calls_24h": caller.calls_24h,
            },
        }


def _preferred(db: Session, there: Routed) -> str | None:
    return db.scalar(select(User.name).where(User.id == there.sticky_agent)) if there.sticky_agent else None


def _place(db: Session) -> tuple[str, str]:
    """The enterprise's time zone and country."""
    row = db.execute(select(Enterprise.time_zone, Enterprise.country).where(Enterprise.id == tenant_id())).one()
    return row[0], row[1]


def _shown(db: Session, rows: Iterable[DidNumber]) -> list[dict[str, Any]]:
    found = list(rows)
    calendars = {c.id: c for c in db.scalars(select(CalendarRow))}
    docs, zone, now = queries.calendar_docs(db), _place(db)[0], utc_now().timestamp()
    places = [to for r in found for to in (r.open_to, r.closed_to, r.holiday_to, *(x.get("to") for x in r.rules))]
    known = queries.names(db, places)
    out = []
    for r in found:
        doc = docs.get(r.calendar_id) if r.calendar_id is not None else None
        shown = {"id": r.id, **records.content(r)}
        shown["calendar_name"] = calendars[r.calendar_id].name if r.calendar_id in calendars else ""
        shown["hours"] = hours_at(doc, now, zone).state.value if doc is not None else "open"
        shown |= {f: queries.named(getattr(r, f), known) for f in ("open_to", "closed_to", "holiday_to")}
        shown["rules"] = [x | {"to": queries.named(x.get("to"), known)} for x in r.rules]
        out.append(shown)
    return out
