"""Numbers and calendars: made, changed, removed. Each change is audited and told to the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from callcenter.audit import records
from callcenter.audit.models import Actor
from callcenter.errors import Conflict, InvalidInput
from callcenter.numbers import checks, queries
from callcenter.numbers.models import CalendarRow, DidNumber
from callcenter.telephony.models import TrunkRow

NUMBER, CALENDAR = "number", "calendar"
_OF_NUMBER = frozenset(
    {
        "e164", "name", "enabled", "language", "calendar_id", "trunk_ids", "rules", "open_to", "closed_to",
        "holiday_to", "record",
    }
)  # fmt: skip
_OF_CALENDAR = frozenset({"name", "time_zone", "week", "holidays", "special_days"})
_CALENDAR_TAKEN = {"uq_calendar_tenant_id_name": ("name", "calendar.name_taken")}


class CalendarInUse(Conflict):
    """Numbers or menus open by it; `params["used_by"]` are {"kind", "id", "name"}."""

    code = "calendar.in_use"


# --------------------------------------------------------------------------------------------------------- numbers


def create_number(session: Session, actor: Actor, values: Mapping[str, Any]) -> DidNumber:
    """A new number. Raises InvalidInput naming the field."""
    row = DidNumber()
    records.put(row, _number(session, values), _OF_NUMBER)
    session.add(row)
    _flush_number(session)
    session.refresh(row)
    records.trace(session, actor, "create", NUMBER, row.id, name=row.name, after=records.content(row))
    return row


def update_number(session: Session, actor: Actor, row_id: int, changes: Mapping[str, Any]) -> DidNumber:
    """Change it; calls that have come in stay where they are."""
    row = records.find(session, DidNumber, row_id, lock=True)
    before = records.content(row)
    records.put(row, _number(session, changes), _OF_NUMBER)
    _flush_number(session)
    after = records.content(row)
    if before != after:
        records.trace(session, actor, "update", NUMBER, row.id, name=row.name, before=before, after=after)
    return row


def delete_number(session: Session, actor: Actor, row_id: int) -> None:
    """Remove it: callers of it get 404. Its calls stay."""
    row = records.find(session, DidNumber, row_id, lock=True)
    before = records.content(row)
    session.delete(row)
    session.flush()
    records.trace(session, actor, "delete", NUMBER, row_id, name=row.name, before=before)


def _number(session: Session, given: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(given)
    if "e164" in values:
        values["e164"] = str(values["e164"]).strip()
        if not checks.E164.fullmatch(values["e164"]):
            raise checks.wrong("e164", "Write the number with country code, like +862155550100.", "number_not_e164")
    for field in ("open_to", "closed_to", "holiday_to"):
        if values.get(field) is not None:
            values[field] = checks.destination(session, values[field], field)
    if "rules" in values:
        values["rules"] = checks.rules(session, values["rules"])
    if values.get("calendar_id") is not None:
        records.require_ids(session, CalendarRow, [values["calendar_id"]], "calendar_id")
    if "trunk_ids" in values:
        records.require_ids(session, TrunkRow, values["trunk_ids"], "trunk_ids")
    return values


def _flush_number(session: Session) -> None:
    try:
        records.flush(session, {"uq_did_number_e164": ("e164", "number.taken")})
    except InvalidInput as error:
        if error.code != "number.taken":
            raise
        raise checks.wrong("e164", "This number is set up already.", "number.taken") from error


# -------------------------------------------------------------------------------------------------------- calendars


def create_calendar(session: Session, actor: Actor, values: Mapping[str, Any]) -> CalendarRow:
    """A new calendar. Raises InvalidInput naming the field."""
    row = CalendarRow()
    records.put(row, _calendar(values), _OF_CALENDAR)
    session.add(row)
    records.flush(session, _CALENDAR_TAKEN)
    session.refresh(row)
    records.trace(session, actor, "create", CALENDAR, row.id, name=row.name, after=records.content(row))
    return row


def update_calendar(session: Session, actor: Actor, row_id: int, changes: Mapping[str, Any]) -> CalendarRow:
    """Change it; the next call is judged by it."""
    row = records.find(session, CalendarRow, row_id, lock=True)
    before = records.content(row)
    records.put(row, _calendar(changes), _OF_CALENDAR)
    records.flush(session, _CALENDAR_TAKEN)
    after = records.content(row)
    if before != after:
        records.trace(session, actor, "update", CALENDAR, row.id, name=row.name, before=before, after=after)
    return row


def delete_calendar(session: Session, actor: Actor, row_id: int) -> None:
    """Remove it. Raises CalendarInUse while a number or a menu opens by it."""
    row = records.find(session, CalendarRow, row_id, lock=True)
    used_by = queries.calendar_uses(session, row_id)
    if used_by:
        names = ", ".join(u["name"] for u in used_by)
        raise CalendarInUse(
            f"{names} open by this calendar. Choose another one there first.",
            params={"used_by": used_by, "names": names},
        )
    before = records.content(row)
    session.delete(row)
    session.flush()
    records.trace(session, actor, "delete", CALENDAR, row_id, name=row.name, before=before)


def _calendar(given: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(given)
    if "week" in values:
        values["week"] = checks.week(values["week"])
    if "holidays" in values:
        values["holidays"] = checks.holidays(values["holidays"])
    if "special_days" in values:
        values["special_days"] = checks.special_days(values["special_days"])
    if "time_zone" in values:
        values["time_zone"] = checks.time_zone(values["time_zone"])
    return values
