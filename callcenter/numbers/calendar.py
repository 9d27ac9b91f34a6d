"""Is it open? The hours of a calendar at an instant, in its own time zone. Pure.

Times are minutes of the local wall clock, so that "from nine" is nine o'clock on the day the clocks change too: an hour
that comes twice is judged the same both times, one that is skipped is never asked about. What is said of a date goes
before what is said of weekdays: a special day before a holiday, a holiday before the week.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY_MIN = 1440
HORIZON_DAYS = 400


@dataclass(frozen=True)
class Span:
    """Minutes of a day from `start` to before `end`: 0 ≤ start < end ≤ 1440. A night is two spans on two days."""

    start: int
    end: int


@dataclass(frozen=True)
class Holiday:
    """Closed from `first` to `last`, both included. `yearly`: every year on these days of the year."""

    name: str
    first: date
    last: date
    yearly: bool = False


@dataclass(frozen=True)
class SpecialDay:
    """The hours of one date in place of the usual ones; no spans: closed. A working Sunday, a short Christmas Eve."""

    name: str
    day: date
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True)
class CalendarDoc:
    """The document "calendar". `week`: spans for Monday to Sunday, seven entries. `time_zone` IANA; empty: the
    enterprise's."""

    id: int
    name: str
    week: tuple[tuple[Span, ...], ...]
    holidays: tuple[Holiday, ...] = ()
    special_days: tuple[SpecialDay, ...] = ()
    time_zone: str = ""


class Opening(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    HOLIDAY = "holiday"


@dataclass(frozen=True)
class Hours:
    """What a calendar says of an instant. `day_name`: the holiday's or special day's, if it is one."""

    state: Opening
    day_name: str = ""


def hours_at(calendar: CalendarDoc, now: float, zone: str) -> Hours:
    """Whether `calendar` is open at `now` (seconds since the epoch); `zone` is the enterprise's time zone.

    Raises ZoneInfoNotFoundError.
    """
    local = datetime.fromtimestamp(now, UTC).astimezone(_zone(calendar.time_zone or zone))
    spans, name, holiday = _day(calendar, local.date())
    minute = local.hour * 60 + local.minute
    if any(s.start <= minute < s.end for s in spans):
        return Hours(Opening.OPEN, name)
    return Hours(Opening.HOLIDAY if holiday else Opening.CLOSED, name)


def next_opening(calendar: CalendarDoc, now: float, zone: str) -> float | None:
    """The first instant from `now` on at which it is open, to the minute; None if there is none in 400 days."""
    if hours_at(calendar, now, zone).state is Opening.OPEN:
        return now
    where = _zone(calendar.time_zone or zone)
    today = datetime.fromtimestamp(now, UTC).astimezone(where).date()
    for ahead in range(HORIZON_DAYS):
        day = today + timedelta(days=ahead)
        for at in _may_open(_day(calendar, day)[0], day, where):
            if at > now and hours_at(calendar, at, zone).state is Opening.OPEN:
                return at
    return None


def _may_open(spans: tuple[Span, ...], day: date, where: ZoneInfo) -> list[float]:
    """The instants of a day at which an opening may begin: where a span does, and where the clocks change."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=where)
    out = [
        (midnight + timedelta(minutes=span.start)).replace(fold=fold).timestamp() for span in spans for fold in (0, 1)
    ]
    low, high = int(midnight.timestamp()), int((midnight + timedelta(days=1)).timestamp())
    before, after = (datetime.fromtimestamp(t, where).utcoffset() for t in (low, high))
    if spans and before != after:
        while high - low > 1:
            middle = (low + high) // 2
            if datetime.fromtimestamp(middle, where).utcoffset() == before:
                low = middle
            else:
                high = middle
        out.append(float(high))
    return sorted(out)


def _day(calendar: CalendarDoc, day: date) -> tuple[tuple[Span, ...], str, bool]:
    """(spans, name of the day if it has one, whether a holiday) of a local date."""
    for special in calendar.special_days:
        if special.day == day:
            return special.spans, special.name, False
    for holiday in calendar.holidays:
        if _covers(holiday, day):
            return (), holiday.name, True
    return calendar.week[day.weekday()], "", False


def _covers(holiday: Holiday, day: date) -> bool:
    if not holiday.yearly:
        return holiday.first <= day <= holiday.last
    first, last, this = ((d.month, d.day) for d in (holiday.first, holiday.last, day))
    return first <= this <= last if first <= last else this >= first or this <= last


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
