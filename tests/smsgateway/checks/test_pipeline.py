"""The checks in their order: what refuses, what waits, what a person must see, and what a batch shares."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from smsgateway.checks.pipeline import Judge, judge, judge_all
from smsgateway.checks.verdict import (
    PASSED,
    Account,
    Candidate,
    Check,
    Hold,
    NeedsApproval,
    Refusal,
    TextRules,
    Verdict,
    World,
)
from smsgateway.templates import MAX_LENGTH
from smsgateway.texts import Purpose
from smsgateway.words.hits import Hit
from smsgateway.words.matcher import Entry, Matcher

PHONE = "+8613812345678"
OTHER = "+8613912345678"
NEW_YORK = "+12125550123"
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC).timestamp()  # Monday, 12:00 in Shanghai, 23:00 on Sunday in New York
NIGHT = datetime(2026, 3, 2, 15, 30, tzinfo=UTC).timestamp()  # 23:30 in Shanghai
DAY = [{"days": [1, 2, 3, 4, 5], "from": "09:00", "to": "20:00"}]
MATCHER = Matcher([Entry("赌博", "gambling"), Entry("casino", "gambling")])
CLEAN = World(now=NOON, words=MATCHER)


def text(phone: str = PHONE, body: str = "您好", **more: Any) -> Candidate:
    return Candidate(phone, body, **more)


def refused(verdict: Verdict) -> tuple[Check, str]:
    assert isinstance(verdict, Refusal), verdict
    return verdict.check, verdict.rule


def test_a_text_with_nothing_against_it_passes() -> None:
    assert judge(text(), CLEAN) == PASSED


@pytest.mark.promise("S2")
def test_checks_come_in_their_order_and_the_first_refusal_ends_it() -> None:
    """Everything is wrong; mended one by one from the first check on, the next one speaks."""
    world = World(
        now=NIGHT,
        words=MATCHER,
        account=Account(enabled=False),
        rules=TextRules(windows=DAY, texts_24h=1),
        blacklisted={PHONE},
        opted_out={PHONE},
        sent_24h={PHONE: 1},
        reachable=lambda _: False,
        wait_for_hours=False,
        sender_needs_approval=True,
        available_minor=0,
    )
    candidate = text(body="赌博", cost_minor=5)
    said = []
    for mend in (
        {"account": Account()},
        {"reachable": CLEAN.reachable},
        {"blacklisted": set()},
        {"opted_out": set()},
        {},
        {"sent_24h": {}},
        {"now": NOON},
        {"available_minor": 5},
        {"sender_needs_approval": False},
    ):
        said.append(judge(candidate, world))
        if not mend:
            candidate = replace(candidate, body="您好")
        world = replace(world, **mend)
    said.append(judge(candidate, world))
    assert [refused(v) for v in said[:8]] == [
        (Check.ACCOUNT, "disabled"),
        (Check.NUMBER, "no_route"),
        (Check.BLACKLIST, "listed"),
        (Check.OPT_OUT, "opted_out"),
        (Check.WORDS, "blocked"),
        (Check.CAPS, "texts_24h"),
        (Check.CAPS, "hours"),
        (Check.BALANCE, "not_enough"),
    ]
    assert said[8:] == [NeedsApproval("sender"), PASSED]


@pytest.mark.promise("E10")
def test_an_account_past_its_validity_sends_nothing() -> None:
    world = replace(CLEAN, account=Account(valid_until=NOON))
    verdict = judge(text(), world)
    assert refused(verdict) == (Check.ACCOUNT, "expired")
    assert isinstance(verdict, Refusal)
    assert verdict.params == {"until": NOON}
    assert judge(text(), replace(CLEAN, account=Account(valid_until=NOON + 1))) == PASSED


@pytest.mark.promise("S8")
def test_opt_outs_stop_marketing_only_and_the_blacklist_stops_all() -> None:
    for purpose in Purpose:
        verdict = judge(text(purpose=purpose), replace(CLEAN, opted_out={PHONE}))
        assert (verdict != PASSED) is (purpose is Purpose.MARKETING)
        assert refused(judge(text(purpose=purpose), replace(CLEAN, blacklisted={PHONE}))) == (Check.BLACKLIST, "listed")


@pytest.mark.promise("S3")
def test_a_contiguous_word_blocks_and_a_squeezed_one_goes_to_approval() -> None:
    blocked = judge(text(body="来赌博 ca si no"), CLEAN)
    assert blocked == Refusal(Check.WORDS, "blocked", {"words": "赌博"}, (Hit("赌博", "gambling", 1, 3, True),))
    squeezed = judge(text(body="来赌 博"), CLEAN)
    assert squeezed == NeedsApproval("words", (Hit("赌博", "gambling", 1, 4, False),))
    assert judge(text(body="来赌 博"), replace(CLEAN, approved=True)) == PASSED
    assert refused(judge(text(body="来赌博"), replace(CLEAN, approved=True))) == (Check.WORDS, "blocked")


def test_an_empty_and_an_endless_text_are_refused() -> None:
    assert refused(judge(text(body=" \n"), CLEAN)) == (Check.WORDS, "empty")
    verdict = judge(text(body="长" * (MAX_LENGTH + 1)), CLEAN)
    assert verdict == Refusal(Check.WORDS, "too_long", {"length": MAX_LENGTH + 1, "limit": MAX_LENGTH})
    assert judge(text(body="长" * MAX_LENGTH), CLEAN) == PASSED


@pytest.mark.promise("S2")
def test_outside_the_hours_where_the_recipient_is_a_text_waits() -> None:
    world = replace(CLEAN, rules=TextRules(windows=DAY))
    assert judge(text(), world) == PASSED
    opens = datetime(2026, 3, 2, 14, 0, tzinfo=UTC).timestamp()  # 09:00 in New York
    assert judge(text(NEW_YORK), world) == Hold(opens, "hours")
    assert judge(text(), replace(world, zones={PHONE: "America/New_York"})) == Hold(opens, "hours")
    night = replace(world, now=NIGHT)
    assert judge(text(), night) == Hold(datetime(2026, 3, 3, 1, 0, tzinfo=UTC).timestamp(), "hours")
    assert judge(text(purpose=Purpose.CODE), night) == PASSED
    verdict = judge(text(), replace(night, wait_for_hours=False))
    assert refused(verdict) == (Check.CAPS, "hours")
    assert isinstance(verdict, Refusal)
    assert verdict.params["zone"] == "Asia/Shanghai"


def test_hours_that_never_open_refuse() -> None:
    holidays = [f"2026-03-{day:02d}" for day in range(1, 31)]
    assert refused(judge(text(), replace(CLEAN, rules=TextRules(holidays=holidays)))) == (Check.CAPS, "never_open")


@pytest.mark.promise("S2")
def test_caps_count_what_was_sent_and_what_passes_in_the_same_batch() -> None:
    rules = TextRules(texts_24h=2, texts_30d=3)
    world = replace(CLEAN, rules=rules, sent_24h={PHONE: 1}, sent_30d={PHONE: 1, OTHER: 3})
    batch = [text(), text(), text(OTHER), text(purpose=Purpose.CODE), text(NEW_YORK)]
    verdicts = judge_all(batch, world)
    assert verdicts[0] == PASSED
    assert verdicts[1] == Refusal(Check.CAPS, "texts_24h", {"sent": 2, "limit": 2})
    assert verdicts[2] == Refusal(Check.CAPS, "texts_30d", {"sent": 3, "limit": 3})
    assert verdicts[3:] == [PASSED, PASSED]


def test_caps_hold_for_the_purposes_that_the_rules_name() -> None:
    rules = TextRules(texts_24h=1, purposes=frozenset({Purpose.MARKETING, Purpose.SERVICE}))
    world = replace(CLEAN, rules=rules, sent_24h={PHONE: 1})
    assert refused(judge(text(purpose=Purpose.SERVICE), world)) == (Check.CAPS, "texts_24h")
    assert judge(text(purpose=Purpose.SERVICE), replace(world, rules=TextRules(texts_24h=1))) == PASSED


def test_approval_comes_before_waiting() -> None:
    world = replace(CLEAN, now=NIGHT, rules=TextRules(windows=DAY), sender_needs_approval=True)
    assert judge(text(), world) == NeedsApproval("sender")
    assert isinstance(judge(text(), replace(world, approved=True)), Hold)


def test_the_balance_pays_for_as_many_as_it_can() -> None:
    world = replace(CLEAN, available_minor=10)
    verdicts = judge_all([text(cost_minor=4), text(OTHER, cost_minor=4), text(NEW_YORK, cost_minor=4)], world)
    assert verdicts[:2] == [PASSED, PASSED]
    assert verdicts[2] == Refusal(Check.BALANCE, "not_enough", {"cost_minor": 12, "available_minor": 10})


class Counting:
    """Words that count how often they are asked."""

    def __init__(self) -> None:
        self.asked = 0

    def find(self, text: str) -> tuple[Hit, ...]:
        self.asked += 1
        return MATCHER.find(text)


def test_a_body_is_searched_once_for_all_batches_of_a_send() -> None:
    words = Counting()
    judge_of_send = Judge(replace(CLEAN, words=words))
    for _ in range(3):
        judge_of_send.judge_all([text(f"+86138{n:08d}") for n in range(1000)])
    assert words.asked == 1
    judge_of_send.judge_all([text(body=f"您好{n}") for n in range(10)])
    assert words.asked == 11


def test_a_batch_is_judged_as_its_texts_one_by_one() -> None:
    world = replace(CLEAN, blacklisted={OTHER}, rules=TextRules(windows=DAY))
    batch = [text(), text(OTHER), text(NEW_YORK), text(body="赌博"), text("x"), text(body="赌 博")]
    assert judge_all(batch, world) == [judge(t, world) for t in batch]
