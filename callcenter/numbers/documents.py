"""Rows → the documents by which the engine routes."""

from __future__ import annotations

from datetime import date
from typing import Any

from callcenter import wire
from callcenter.numbers.calendar import DAY_MIN, CalendarDoc, Holiday, Span, SpecialDay
from callcenter.numbers.models import CalendarRow, DidNumber
from callcenter.numbers.routing import NumberDoc


def number_doc(row: DidNumber) -> NumberDoc:
    """The document "number"."""
    names = (
        "id", "e164", "name", "enabled", "language", "calendar_id", "trunk_ids", "rules", "open_to", "closed_to",
        "holiday_to", "record",
    )  # fmt: skip
    return wire.convert({n: getattr(row, n) for n in names}, NumberDoc)


def calendar_doc(row: CalendarRow) -> CalendarDoc:
    """The document "calendar"."""
    return CalendarDoc(
        id=row.id,
        name=row.name,
        week=tuple(spans(day) for day in [*row.week, [], [], [], [], [], [], []][:7]),
        holidays=tuple(
            Holiday(h["name"], date.fromisoformat(h["first"]), date.fromisoformat(h["last"]), bool(h.get("yearly")))
            for h in row.holidays
        ),
        special_days=tuple(
            SpecialDay(s["name"], date.fromisoformat(s["day"]), spans(s["spans"])) for s in row.special_days
        ),
        time_zone=row.time_zone,
    )


def spans(given: list[dict[str, Any]]) -> tuple[Span, ...]:
    """[{"from": "09:00", "to": "24:00"}] → spans."""
    return tuple(Span(minute_of(s["from"]), minute_of(s["to"])) for s in given)


def minute_of(text: str) -> int:
    """ "09:30" → 570; "24:00" is the end of the day. Raises ValueError."""
    hour, _, minute = text.partition(":")
    if len(text) != 5 or not (hour.isascii() and minute.isascii() and hour.isdigit() and minute.isdigit()):
        raise ValueError(f"no time of day: {text!r}")
    value = int(hour) * 60 + int(minute)
    if int(minute) > 59 or value > DAY_MIN:
        raise ValueError(f"no time of day: {text!r}")
    return value
