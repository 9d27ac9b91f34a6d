"""Ranges of days in an enterprise's zone, as instants. Pure."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def midnight(day: date, time_zone: str) -> datetime:
    """When `day` begins."""
    return datetime.combine(day, time(), ZoneInfo(time_zone))


def bounds(first: date | None, last: date | None, time_zone: str) -> tuple[datetime | None, datetime | None]:
    """From the beginning of `first` to before the end of `last`; None: open on that side."""
    end = None
    if last is not None and last < date.max:
        end = midnight(last + timedelta(days=1), time_zone)
    return (None if first is None else midnight(first, time_zone)), end
