"""Every call at every instant has one answer, and it is the one the number's page promises."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest

from callcenter import wire
from callcenter.calls.destination import Destination, DestinationKind
from callcenter.numbers.calendar import CalendarDoc, Holiday, Opening, Span, SpecialDay, hours_at, next_opening
from callcenter.numbers.caller import Caller, Match, unknown
from callcenter.numbers.routing import REFUSE, During, NumberDoc, Routed, Rule, Then, When, route

QUEUE = Destination(DestinationKind.QUEUE, 1)
MENU = Destination(DestinationKind.MENU, 2)
BOX = Destination(DestinationKind.VOICEMAIL)
NOON = datetime(2026, 5, 6, 12, tzinfo=UTC).timestamp()  # a Wednesday
OFFICE = (Span(540, 750), Span(780, 1080))
WEEK = (OFFICE, OFFICE, OFFICE, OFFICE, OFFICE, (Span(600, 840),), ())


def number(*rules: Rule, **more: object) -> NumberDoc:
    given: dict[str, object] = {"open_to": QUEUE, "closed_to": BOX, "rules": rules, "calendar_id": 9, **more}
    return NumberDoc(id=1, e164="+862155550100", name="Service", **given)


def office(zone: str = "UTC", **more: object) -> CalendarDoc:
    return CalendarDoc(id=9, name="Office", week=WEEK, time_zone=zone, **more)


def routed(doc: NumberDoc, caller: Caller, at: float = NOON, on_shift: frozenset[int] = frozenset()) -> Routed:
    return route(doc, {9: office()}, caller, at, "UTC", on_shift=on_shift)


@lru_cache(maxsize=800)
def naive_day(calendar: CalendarDoc, day: date) -> tuple[list[bool], bool]:
    """(open by minute, whether a holiday) of a local day, the slow way: a table of all its minutes."""
    holiday = False

    def table(spans: tuple[Span, ...]) -> list[bool]:
        minutes = [False] * 1440
        for s in spans:
            minutes[s.start : s.end] = [True] * (s.end - s.start)
        return minutes

    minutes = table(calendar.week[day.weekday()])
    for h in calendar.holidays:
        days = {h.first + timedelta(days=i) for i in range((h.last - h.first).days + 1)}
        same = {(d.month, d.day) for d in days}
        if day in days or (h.yearly and (day.month, day.day) in same):
            holiday, minutes = True, table(())
    for special in calendar.special_days:
        if special.day == day:
            holiday, minutes = False, table(special.spans)
    return minutes, holiday


def naive_state(calendar: CalendarDoc, at: float) -> Opening:
    """What `hours_at` must say."""
    local = datetime.fromtimestamp(at, ZoneInfo(calendar.time_zone))
    minutes, holiday = naive_day(calendar, local.date())
    if minutes[local.hour * 60 + local.minute]:
        return Opening.OPEN
    return Opening.HOLIDAY if holiday else Opening.CLOSED


def random_calendar(rng: random.Random, zone: str) -> CalendarDoc:
    def spans() -> tuple[Span, ...]:
        marks = sorted(rng.sample(range(0, 1441, 15), 2 * rng.randint(0, 3)))
        return tuple(Span(a, b) for a, b in zip(marks[::2], marks[1::2], strict=True))

    def some_day() -> date:
        return date(2026, 1, 1) + timedelta(days=rng.randrange(365))

    holidays = []
    for i in range(rng.randint(0, 4)):
        first = some_day()
        holidays.append(Holiday(f"h{i}", first, first + timedelta(days=rng.randrange(9)), rng.random() < 0.5))
    special = {some_day(): spans() for _ in range(rng.randint(0, 4))}
    return CalendarDoc(
        id=9, name="c", week=tuple(spans() for _ in range(7)), holidays=tuple(holidays), time_zone=zone,
        special_days=tuple(SpecialDay(f"s{i}", d, s) for i, (d, s) in enumerate(special.items())),
    )  # fmt: skip


@pytest.mark.promise("I1")
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_every_minute_of_a_year_has_the_one_answer_that_a_table_of_minutes_gives(zone: str) -> None:
    rng = random.Random(f"calendar of {zone}")
    doc = number(holiday_to=MENU)
    wanted = {Opening.OPEN: QUEUE, Opening.CLOSED: BOX, Opening.HOLIDAY: MENU}
    start = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    for turn in range(2):
        calendar = random_calendar(rng, zone)
        for at in range(start + turn * 7 * 60, start + 365 * 86_400, 11 * 60):  # spans begin and end at quarters
            there = route(doc, {9: calendar}, unknown("+8613800138000"), at, "UTC", on_shift=())
            state = naive_state(calendar, at)
            assert (there.hours, there.destination, there.reason) == (state, wanted[state], state.value)


@pytest.mark.promise("I1")
def test_every_single_minute_of_the_days_on_which_clocks_change_is_right() -> None:
    rng = random.Random(20260329)
    for zone, day in (("Europe/Berlin", (2026, 3, 29)), ("Europe/Berlin", (2026, 10, 25)),
                      ("America/New_York", (2026, 3, 8)), ("Australia/Lord_Howe", (2026, 4, 5))):  # fmt: skip
        start = int(datetime(*day, tzinfo=ZoneInfo(zone)).timestamp())
        for _ in range(20):
            calendar = random_calendar(rng, zone)
            for at in range(start, start + 26 * 3600, 60):
                assert hours_at(calendar, at, "UTC").state is naive_state(calendar, at)


def test_nine_oclock_stays_nine_oclock_when_the_clocks_change() -> None:
    berlin = office("Europe/Berlin")
    for day, utc_hour in ((27, 8), (30, 7)):  # the Friday before the change, the Monday after it
        opens = datetime(2026, 3, day, utc_hour, tzinfo=UTC).timestamp()
        assert hours_at(berlin, opens, "UTC").state is Opening.OPEN
        assert hours_at(berlin, opens - 1, "UTC").state is Opening.CLOSED


def test_the_next_opening_is_the_first_open_minute_of_a_walk() -> None:
    rng = random.Random(7)
    for zone, day in (
        ("Europe/Berlin", (2026, 3, 28)),
        ("Europe/Berlin", (2026, 10, 24)),
        ("Asia/Shanghai", (2026, 6, 1)),
    ):
        start = int(datetime(*day, tzinfo=ZoneInfo(zone)).timestamp())
        for _ in range(30):
            calendar = random_calendar(rng, zone)
            now = start + rng.randrange(2 * 1440) * 60
            walk = (t for t in range(now, now + 9 * 86_400, 60) if naive_state(calendar, t) is Opening.OPEN)
            expected = next(walk, None)
            found = next_opening(calendar, now, "UTC")
            if expected is not None or (found is not None and found < now + 9 * 86_400):
                assert found == expected


def test_a_calendar_that_never_opens_has_no_next_opening() -> None:
    shut = CalendarDoc(id=1, name="Shut", week=((),) * 7)
    assert next_opening(shut, NOON, "UTC") is None


def test_a_special_day_goes_before_a_holiday_and_a_holiday_before_the_week() -> None:
    holidays = (Holiday("May holiday", date(2026, 5, 1), date(2026, 5, 10)),)
    calendar = office(
        holidays=holidays, special_days=(SpecialDay("Helpers' day", date(2026, 5, 6), (Span(720, 780),)),)
    )
    doc = number(holiday_to=MENU)
    there = route(doc, {9: calendar}, unknown(""), NOON, "UTC", on_shift=())
    assert (there.destination, there.day_name) == (QUEUE, "Helpers' day")
    evening = route(doc, {9: calendar}, unknown(""), NOON + 7200, "UTC", on_shift=())
    assert (evening.destination, evening.reason) == (BOX, "closed")
    tomorrow = route(doc, {9: calendar}, unknown(""), NOON + 86_400, "UTC", on_shift=())
    assert (tomorrow.destination, tomorrow.reason, tomorrow.day_name) == (MENU, "holiday", "May holiday")


def test_a_holiday_of_every_year_may_span_the_turn_of_the_year() -> None:
    calendar = office(holidays=(Holiday("Year's end", date(2020, 12, 30), date(2021, 1, 2), yearly=True),))
    for day, state in ((date(2026, 12, 31), Opening.HOLIDAY), (date(2027, 1, 1), Opening.HOLIDAY),
                       (date(2026, 12, 29), Opening.OPEN), (date(2027, 1, 4), Opening.OPEN)):  # fmt: skip
        at = datetime(day.year, day.month, day.day, 11, tzinfo=UTC).timestamp()
        assert hours_at(calendar, at, "UTC").state is state


@pytest.mark.promise("I1")
def test_a_vip_goes_to_the_owner_who_is_on_shift_and_else_where_everybody_goes() -> None:
    doc = number(Rule(When.VIP, Then.OWNER, priority=5))
    vip = Caller("+8613800138000", (Match(3, None, vip=True, owner_id=70), Match(4, None, owner_id=71)))
    on = routed(doc, vip, on_shift=frozenset({70}))
    assert on.destination == Destination(DestinationKind.AGENT, 70)
    assert (on.reason, on.priority) == ("rule:1", 5)
    off = routed(doc, vip, on_shift=frozenset({71}))
    assert (off.destination, off.reason, off.priority, off.sticky_agent) == (QUEUE, "open", 5, 70)
    plain = Caller("+8613800138000", (Match(4, None, owner_id=71),))
    assert routed(doc, plain, on_shift=frozenset({71})).destination == QUEUE


@pytest.mark.promise("I1")
def test_who_calls_again_within_the_time_gets_the_same_agent_and_else_a_higher_priority() -> None:
    doc = number(
        Rule(When.REPEATED, Then.LAST_AGENT, within_min=30),
        Rule(When.REPEATED, Then.PRIORITY, within_min=30, priority=3),
    )
    again = Caller("+8613800138000", last_agent_id=8, last_call_at=NOON - 600)
    assert routed(doc, again, on_shift=frozenset({8})).destination == Destination(DestinationKind.AGENT, 8)
    gone = routed(doc, again)
    assert (gone.destination, gone.priority, gone.sticky_agent) == (QUEUE, 3, 8)
    long_ago = Caller("+8613800138000", last_agent_id=8, last_call_at=NOON - 1801)
    assert routed(doc, long_ago, on_shift=frozenset({8})) == routed(number(), long_ago)


@pytest.mark.promise("I1")
def test_a_blacklisted_caller_is_refused_before_any_favour_that_stands_below() -> None:
    doc = number(Rule(When.BLACKLISTED, Then.REFUSE), Rule(When.KNOWN, Then.DESTINATION, to=MENU))
    match = (Match(3, None),)
    assert routed(doc, Caller("+8613800138000", match, blacklisted=True)).destination == REFUSE
    assert routed(doc, Caller("+8613800138000", match)).destination == MENU


def test_prefix_and_withheld_numbers_have_rules_and_hours_of_their_own() -> None:
    doc = number(
        Rule(When.PREFIX, Then.DESTINATION, During.OPEN, prefixes=("+852", "+853"), to=MENU),
        Rule(When.ANONYMOUS, Then.DESTINATION, During.CLOSED, to=Destination(DestinationKind.HANG_UP)),
    )
    night = NOON + 12 * 3600
    assert routed(doc, unknown("+85251234567")).destination == MENU
    assert routed(doc, unknown("+85251234567"), night).destination == BOX
    assert routed(doc, unknown("+8613800138000")).destination == QUEUE
    assert routed(doc, unknown("")).destination == QUEUE
    assert routed(doc, unknown(""), night).destination.kind is DestinationKind.HANG_UP


def test_a_number_that_is_switched_off_refuses_and_one_without_a_calendar_is_always_open() -> None:
    assert routed(number(enabled=False), unknown("")).reason == "disabled"
    assert routed(number(enabled=False), unknown("")).destination == REFUSE
    assert routed(number(calendar_id=None), unknown(""), NOON + 12 * 3600).destination == QUEUE
    assert routed(number(calendar_id=404), unknown(""), NOON + 12 * 3600).reason == "open"
    assert routed(number(), unknown(""), NOON + 12 * 3600).destination == BOX


@pytest.mark.promise("I1")
def test_any_rules_and_any_caller_give_exactly_one_answer_that_the_rules_allow() -> None:
    rng = random.Random(31)
    places = [QUEUE, MENU, BOX, None]
    for _ in range(5000):
        rules = tuple(
            Rule(rng.choice(list(When)), rng.choice(list(Then)), rng.choice(list(During)), rng.randrange(90),
                 tuple(rng.sample(["+86", "+852", "+1"], rng.randrange(3))), rng.choice(places), rng.randrange(4))
            for _ in range(rng.randrange(6))
        )  # fmt: skip
        match = tuple(
            Match(i, None, vip=rng.random() < 0.3, owner_id=rng.choice([None, 1, 2])) for i in range(rng.randrange(3))
        )
        caller = Caller(
            rng.choice(["", "+8613800138000", "+85251234567"]), match, rng.random() < 0.2, 0, rng.choice([None, 1, 3]),
            rng.choice([None, NOON - rng.randrange(7200)]),
        )  # fmt: skip
        at = NOON + rng.randrange(7 * 1440) * 60
        doc = number(*rules)
        there = routed(doc, caller, at, frozenset({1}))
        assert there == routed(doc, caller, at, frozenset({1}))
        kind, _, place = there.reason.partition(":")
        if kind == "rule":
            rule = rules[int(place) - 1]
            allowed = {
                Then.REFUSE: REFUSE, Then.DESTINATION: rule.to, Then.OWNER: Destination(DestinationKind.AGENT, 1),
                Then.LAST_AGENT: Destination(DestinationKind.AGENT, 1),
            }  # fmt: skip
            assert there.destination == allowed[rule.then]
        else:
            assert there.destination == {"open": QUEUE, "closed": BOX, "holiday": BOX}[kind]
        assert 0 <= there.priority <= sum(r.priority for r in rules)


def test_the_documents_survive_their_way_through_redis() -> None:
    doc = number(Rule(When.PREFIX, Then.DESTINATION, prefixes=("+86",), to=MENU))
    calendar = random_calendar(random.Random(1), "Asia/Shanghai")
    caller = Caller("+86138", (Match(1, None, "Lin"), Match(2, None, "Wu")), card={"name": "Lin"})
    assert wire.from_json(wire.to_json(doc), NumberDoc) == doc
    assert wire.convert(wire.plain(calendar), CalendarDoc) == calendar
    assert wire.from_json(wire.to_json(caller), Caller) == caller
    assert [c["id"] for c in caller.choices] == [1, 2]
