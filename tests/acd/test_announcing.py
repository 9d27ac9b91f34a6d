"""What a waiting caller is told about place and wait."""

from __future__ import annotations

import pytest

from callcenter.acd import announcing
from callcenter.prompts import names


@pytest.mark.promise("I4")
def test_the_first_is_told_so_and_the_others_their_place() -> None:
    assert announcing.announcement(1, None, "en") == ("say:en:You are next. Please stay on the line.",)
    assert announcing.announcement(3, 200.0, "en") == (
        "say:en:You are number three in the queue.",
        "say:en:We expect to answer you in about four minutes.",
    )
    assert announcing.announcement(3, 110.0, "zh-CN") == (
        "say:zh:您前面还有两位客户在等待。",
        "say:zh:预计等待时间约两分钟。",
    )
    assert announcing.announcement(13, None, "zh") == ("say:zh:您前面还有十二位客户在等待。",)


@pytest.mark.parametrize(
    ("wait_s", "said"),
    [(0.0, "less than a minute"), (60.0, "less than a minute"), (61.0, "two minutes"), (660.0, "fifteen minutes")],
)
def test_a_wait_is_rounded_up_so_that_nobody_waits_longer_than_told(wait_s: float, said: str) -> None:
    assert said in announcing.wait_prompts(wait_s, "en")[0]


def test_very_long_queues_and_waits_are_not_counted() -> None:
    assert "more than twenty" in announcing.place_prompts(21, "en")[0]
    assert "more than an hour" in announcing.wait_prompts(4000.0, "en")[0]
    assert "超过一小时" in announcing.wait_prompts(4000.0, "zh")[0]


def test_every_announcement_is_among_the_usual_sentences_and_without_digits() -> None:
    usual = set(announcing.usual())
    for language in ("en", "zh"):
        for place in range(1, 60):
            for wait_s in range(0, 5000, 7):
                assert set(announcing.announcement(place, float(wait_s), language)) <= usual
    for sentence in usual:
        spoken = names.parse(sentence)
        assert isinstance(spoken, names.Spoken)
        assert not any(c.isdigit() for c in spoken.text), "each voice reads digits in its own way"


def test_the_offer_names_the_key() -> None:
    assert "press one" in announcing.callback_offer("1", "en")[0]
    assert "按井号键" in announcing.callback_offer("#", "zh")[0]
