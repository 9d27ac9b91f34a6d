"""Calling hours by the callee's clock: breaks, midnight, holidays, clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.compliance.calling_window import HORIZON_DAYS, is_open, next_opening

WEEK = [1, 2, 3, 4, 5, 6, 7]
WORKDAYS = [
    {"days": [1, 2, 3, 4, 5], "from": "09:00", "to": "12:00"},
    {"days": [1, 2, 3, 4, 5], "from": "14:00", "to": "20:00"},
]
SHANGHAI, NEW_YORK = "Asia/Shanghai", "America/New_York"


def at(zone: str, text: str) -> datetime:
    """The instant at which clocks in `zone` show `text`."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.promise("D5")
@pytest.mark.parametrize(
    ("clock", "allowed"),
    [
        ("2026-11-20 08:59:59", False),
        ("2026-11-20 09:00:00", True),
        ("2026-11-20 11:59:59", True),
        ("2026-11-20 12:00:00", False),  # midday break
        ("2026-11-20 13:59:59", False),
        ("2026-11-20 14:00:00", True),
        ("2026-11-20 20:00:00", False),
        ("2026-11-21 10:00:00", False),  # a Saturday
    ],
)
def test_hours_break_and_weekend_are_kept_to_the_second(clock: str, allowed: bool) -> None:
    assert is_open(WORKDAYS, [], SHANGHAI, at(SHANGHAI, clock)) is allowed


@pytest.mark.promise("D5")
def test_it_is_the_callees_clock_that_counts() -> None:
    noon_in_new_york = at(NEW_YORK, "2026-11-20 10:00")
    assert is_open(WORKDAYS, [], NEW_YORK, noon_in_new_york)
    assert not is_open(WORKDAYS, [], SHANGHAI, noon_in_new_york)
    assert not is_open(WORKDAYS, [], "America/Los_Angeles", noon_in_new_york)  # 07:00 there


def test_the_next_opening_is_after_the_break_after_the_night_or_after_the_weekend() -> None:
    for clock, opening in (
        ("2026-11-20 10:30", "2026-11-20 10:30"),  # open: now
        ("2026-11-20 12:30", "2026-11-20 14:00"),
        ("2026-11-19 21:00", "2026-11-20 09:00"),
        ("2026-11-20 20:00", "2026-11-23 09:00"),
        ("2026-11-20 07:00", "2026-11-20 09:00"),
    ):
        assert next_opening(WORKDAYS, [], SHANGHAI, at(SHANGHAI, clock)) == at(SHANGHAI, opening)


def test_a_window_to_24_00_lasts_to_the_end_of_the_day_and_one_from_00_00_joins_it() -> None:
    late = [{"days": [5], "from": "22:00", "to": "24:00"}]
    assert is_open(late, [], SHANGHAI, at(SHANGHAI, "2026-11-20 23:59:59"))
    assert not is_open(late, [], SHANGHAI, at(SHANGHAI, "2026-11-21 00:00:00"))
    whole = [{"days": WEEK, "from": "00:00", "to": "24:00"}]
    start = at(SHANGHAI, "2026-11-20 22:00")
    assert all(is_open(whole, [], SHANGHAI, start + timedelta(minutes=m)) for m in range(0, 240, 5))


def test_no_call_is_permitted_on_a_holiday_of_the_callees_calendar() -> None:
    holidays = ["2026-11-20"]
    assert not is_open(WORKDAYS, holidays, SHANGHAI, at(SHANGHAI, "2026-11-20 10:00"))
    assert not is_open([], holidays, SHANGHAI, at(SHANGHAI, "2026-11-20 23:30"))
    assert next_opening(WORKDAYS, holidays, SHANGHAI, at(SHANGHAI, "2026-11-20 10:00")) == at(
        SHANGHAI, "2026-11-23 09:00"
    )
    # The same instant is the day before in New York.
    assert is_open([], holidays, NEW_YORK, at(SHANGHAI, "2026-11-20 10:00"))


def test_without_windows_every_hour_is_permitted() -> None:
    now = at(SHANGHAI, "2026-11-20 03:00")
    assert is_open([], [], SHANGHAI, now)
    assert next_opening([], ["2026-11-20"], SHANGHAI, now) == at(SHANGHAI, "2026-11-21 00:00")


def test_a_rule_set_that_never_opens_says_so() -> None:
    now = at(SHANGHAI, "2026-11-20 10:00")
    assert next_opening([{"days": [], "from": "09:00", "to": "12:00"}], [], SHANGHAI, now) is None
    shut = [(now.date() + timedelta(days=d)).isoformat() for d in range(HORIZON_DAYS + 2)]
    assert next_opening(WORKDAYS, shut, SHANGHAI, now) is None


@pytest.mark.promise("D5")
def test_hours_follow_the_clock_when_it_is_put_forward_and_back() -> None:
    morning = [{"days": WEEK, "from": "09:00", "to": "10:00"}]
    for evening, utc_hour in (
        ("2026-03-07 20:00", 13),  # forward in the night to 8 March: 09:00 is 13:00 UTC
        ("2026-03-06 20:00", 14),
        ("2026-10-31 20:00", 14),  # back in the night to 1 November
        ("2026-10-30 20:00", 13),
    ):
        opening = next_opening(morning, [], NEW_YORK, at(NEW_YORK, evening))
        assert opening is not None and (opening.hour, opening.minute) == (utc_hour, 0)
        assert not is_open(morning, [], NEW_YORK, opening - timedelta(seconds=1))


def test_an_hour_that_the_clock_leaves_out_is_no_time_to_call() -> None:
    missing = [{"days": WEEK, "from": "02:00", "to": "03:00"}]  # 8 March 2026 has no such hour in New York
    before = at(NEW_YORK, "2026-03-08 01:00")
    assert not any(is_open(missing, [], NEW_YORK, before + timedelta(minutes=m)) for m in range(0, 180, 5))
    assert next_opening(missing, [], NEW_YORK, before) == at(NEW_YORK, "2026-03-09 02:00")


def test_an_unknown_time_zone_is_an_error_and_not_a_permission() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        is_open([], [], "Mars/Olympus", datetime.now(UTC))


def clocks(draw: st.DrawFn) -> tuple[str, str]:
    """A start before an end, "HH:MM"."""
    first, last = sorted(draw(st.lists(st.integers(0, 24 * 12), min_size=2, max_size=2, unique=True)))
    return _clock(first * 5), _clock(last * 5)


def _clock(minutes: int) -> str:
    return "24:00" if minutes == 24 * 60 else time(minutes // 60, minutes % 60).isoformat("minutes")


@st.composite
def windows(draw: st.DrawFn) -> dict[str, Any]:
    first, last = clocks(draw)
    return {"days": draw(st.lists(st.sampled_from(WEEK), min_size=1, unique=True)), "from": first, "to": last}


@given(
    st.lists(windows(), min_size=1, max_size=4),
    st.sampled_from([SHANGHAI, "Asia/Kolkata", "UTC", "Pacific/Kiritimati"]),  # without clock changes
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001  (made aware below)
    st.floats(0, 0.999),
)
def test_nothing_is_permitted_before_the_next_opening_and_calls_are_at_it(
    rules: list[dict[str, Any]], zone: str, naive: datetime, share: float
) -> None:
    now = naive.replace(tzinfo=UTC)
    opening = next_opening(rules, [], zone, now)
    assert opening is not None and opening >= now and is_open(rules, [], zone, opening)
    if opening > now:
        assert not is_open(rules, [], zone, now + (opening - now) * share)
