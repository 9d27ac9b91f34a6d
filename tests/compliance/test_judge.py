"""The judgement of a number: which rule forbids it, and from when the answer may differ."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.compliance.judge import Callee, Refused, Rule, Rules, judge

DAY_S = 86_400
NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC).timestamp()  # 12:00 in Shanghai, a Friday
MORNINGS = ({"days": [1, 2, 3, 4, 5], "from": "09:00", "to": "12:00"},)
HERE = "Asia/Shanghai"


def refused(rules: Rules, callee: Callee, now: float = NOON) -> Refused:
    """The refusal that must come."""
    verdict = judge(rules, callee, now)
    assert verdict is not None
    return verdict


def test_a_number_that_no_rule_forbids_may_be_called() -> None:
    assert judge(Rules(), Callee(HERE), NOON) is None
    strict = Rules(MORNINGS, ("2026-11-21",), 3, 10, 72)
    assert judge(strict, Callee(HERE, tries_24h=2, tries_30d=9, last_abandoned=NOON - 73 * 3600), NOON - 60) is None


@pytest.mark.promise("D5")
def test_a_blacklisted_number_is_never_called_again_whatever_else_holds() -> None:
    verdict = refused(Rules(MORNINGS, attempts_24h=1), Callee(HERE, blacklisted=True, tries_24h=5))
    assert (verdict.rule, verdict.retry_at) == (Rule.BLACKLIST, None)


@pytest.mark.promise("D5")
def test_outside_the_hours_the_refusal_says_when_they_begin() -> None:
    verdict = refused(Rules(MORNINGS), Callee(HERE))
    monday = datetime(2026, 11, 23, 1, 0, tzinfo=UTC).timestamp()
    assert (verdict.rule, verdict.retry_at) == (Rule.CALLING_WINDOW, monday)
    assert HERE in verdict.detail


def test_hours_that_never_come_are_asked_again_a_day_later() -> None:
    never = Rules(({"days": [], "from": "09:00", "to": "12:00"},))
    verdict = refused(never, Callee(HERE))
    assert verdict.retry_at == NOON + DAY_S
    assert verdict.detail.endswith("next: none in 14 days")


@pytest.mark.promise("D5")
def test_the_tries_of_a_day_end_a_day_after_the_oldest() -> None:
    callee = Callee(HERE, tries_24h=3, oldest_try_24h=NOON - 20 * 3600)
    verdict = refused(Rules(attempts_24h=3), callee)
    assert (verdict.rule, verdict.retry_at) == (Rule.ATTEMPTS_24H, NOON + 4 * 3600)
    assert judge(Rules(attempts_24h=4), callee, NOON) is None
    assert judge(Rules(attempts_24h=0), callee, NOON) is None


@pytest.mark.promise("D5")
def test_the_tries_of_thirty_days_are_counted_too() -> None:
    verdict = refused(Rules(attempts_24h=3, attempts_30d=10), Callee(HERE, tries_24h=1, tries_30d=10))
    assert (verdict.rule, verdict.retry_at) == (Rule.ATTEMPTS_30D, NOON + DAY_S)


@pytest.mark.promise("D5")
def test_a_number_whose_call_was_abandoned_is_left_alone_for_the_lockout() -> None:
    rules = Rules(abandoned_lockout_h=72)
    left = NOON - 71 * 3600
    verdict = refused(rules, Callee(HERE, last_abandoned=left))
    assert (verdict.rule, verdict.retry_at) == (Rule.ABANDONED_LOCKOUT, left + 72 * 3600)
    assert judge(rules, Callee(HERE, last_abandoned=left), left + 72 * 3600) is None


RULES = st.builds(
    Rules,
    windows=st.sampled_from([(), MORNINGS]),
    holidays=st.sampled_from([(), ("2026-11-20",)]),
    attempts_24h=st.integers(0, 4),
    attempts_30d=st.integers(0, 20),
    abandoned_lockout_h=st.integers(0, 100),
)
AGO = st.floats(0, 30 * DAY_S)


@st.composite
def callees(draw: st.DrawFn) -> Callee:
    day = draw(st.integers(0, 5))
    return Callee(
        draw(st.sampled_from([HERE, "America/New_York", "UTC"])),
        draw(st.booleans()),
        day,
        day + draw(st.integers(0, 20)),
        NOON - draw(st.floats(0, DAY_S)) if day else None,
        draw(st.none() | AGO.map(lambda ago: NOON - ago)),
    )


@given(RULES, callees())
def test_a_refusal_never_asks_to_be_retried_in_the_past(rules: Rules, callee: Callee) -> None:
    verdict = judge(rules, callee, NOON)
    assert verdict is None or verdict.retry_at is None or verdict.retry_at > NOON


@given(
    RULES, callees(), st.sampled_from(["attempts_24h", "attempts_30d", "abandoned_lockout_h", "windows", "holidays"])
)
def test_taking_a_rule_away_never_forbids_a_call(rules: Rules, callee: Callee, away: str) -> None:
    fields: dict[str, Any] = {n: getattr(rules, n) for n in rules.__dataclass_fields__}
    fields[away] = type(fields[away])()
    if judge(rules, callee, NOON) is None:
        assert judge(Rules(**fields), callee, NOON) is None
