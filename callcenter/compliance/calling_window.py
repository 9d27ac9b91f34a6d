"""Is it a permitted time to call, where the callee is? Pure.

A window is {"days": [1, …, 7], "from": "09:00", "to": "12:00"} (Monday = 1) in the callee's local time; several on one
day leave a break between them. A rule set without windows permits every hour. `holidays` are local dates without calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

HORIZON_DAYS = 14


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The IANA time zone `name`. Raises ZoneInfoNotFoundError."""
    return ZoneInfo(name)


def is_open(windows: Sequence[Mapping[str, Any]], holidays: Sequence[str], tz: str, now: datetime) -> bool:
    """Whether calls are permitted at `now` (aware) for a callee in zone `tz`."""
    local = now.astimezone(zone(tz))
    if local.date().isoformat() in holidays:
        return False
    if not windows:
        return True
    return any(local.isoweekday() in w["days"] and _time(w["from"]) <= local.time() < _time(w["to"]) for w in windows)


def next_opening(
    windows: Sequence[Mapping[str, Any]], holidays: Sequence[str], tz: str, now: datetime
) -> datetime | None:
    """The first instant (UTC) from `now` on at which calls are permitted; None if there is none in 14 days."""
    if is_open(windows, holidays, tz, now):
        return now.astimezone(UTC)
    local = now.astimezone(zone(tz))
    for ahead in range(HORIZON_DAYS + 1):
        day = local.date() + timedelta(days=ahead)
        if day.isoformat() in holidays:
            continue
        starts = sorted(_time(w["from"]) for w in windows if day.isoweekday() in w["days"]) or (
            [] if windows else [time(0)]
        )
        for start in starts:
            opening = _at(day, start, tz)
            if opening > now and is_open(windows, holidays, tz, opening):
                return opening
    return None


def _at(day: date, at: time, tz: str) -> datetime:
    return datetime.combine(day, at, tzinfo=zone(tz)).astimezone(UTC)


@lru_cache(maxsize=256)
def _time(text: str) -> time:
    # "24:00" means the end of the day
    return time.max if text == "24:00" else time.fromisoformat(text)
