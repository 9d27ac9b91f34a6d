"""Long texts that come in part by part, over real PostgreSQL: taken once, whole or marked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from callcenter.clock import utc_now
from callcenter.db.session import platform_session
from smsgateway.carriers.models import TextCarrier
from smsgateway.carriers.port import Inbound, Part
from smsgateway.inbound import parts, taking
from smsgateway.inbound.models import PartedText, UnclaimedText

LI = "+8613812345678"


@pytest.fixture
def carrier(database: object) -> int:
    with platform_session() as session:
        row = TextCarrier(name="north", protocol="smpp")
        session.add(row)
        session.flush()
        return row.id


def part(number: int, said: str, *, total: int = 3, ref: int = 9, sender: str = LI, wait_s: float = 60) -> Inbound:
    return Inbound(sender, "10690", said, utc_now().timestamp(), part=Part(ref, number, total, wait_s))


def taken() -> list[str]:
    """What was taken, in its order; these texts are of no enterprise."""
    with platform_session() as session:
        return list(session.scalars(select(UnclaimedText.body).order_by(UnclaimedText.id)))


def waiting() -> int:
    with platform_session() as session:
        return len(session.scalars(select(PartedText.id).where(PartedText.taken_at.is_(None))).all())


def later(**delta: float) -> datetime:
    return utc_now() + timedelta(**delta)


@pytest.mark.promise("S8")
def test_parts_are_joined_in_order_whoever_comes_first_and_twice(carrier: int) -> None:
    parts.take_all([part(3, "c"), part(1, "a ")], carrier)
    parts.take_all([part(1, "a ")], carrier)
    parts.take_all([part(1, "other", sender="+8613900000001"), part(2, "b", ref=8)], carrier)
    assert taken() == []
    whole = Inbound(LI, "10690", "whole", utc_now().timestamp())
    parts.take_all([part(2, "b "), whole], carrier)
    assert sorted(taken()) == ["a b c", "whole"]
    assert waiting() == 2


@pytest.mark.promise("S8")
def test_a_part_that_comes_again_after_its_text_was_taken_is_no_new_text(carrier: int) -> None:
    parts.take_all([part(n, s) for n, s in enumerate("abc", 1)], carrier)
    parts.take_all([part(2, "b"), part(3, "c")], carrier)
    assert (taken(), waiting()) == (["abc"], 0)
    # The same reference with other words is another text; and so are the same words much later.
    parts.take_all([part(n, s) for n, s in enumerate("xyz", 1)], carrier)
    assert taken() == ["abc", "xyz"]
    parts.give_up(later(minutes=11))
    parts.take_all([part(n, s) for n, s in enumerate("abc", 1)], carrier)
    assert taken() == ["abc", "xyz", "abc"]


@pytest.mark.promise("S8")
def test_what_is_there_is_taken_when_the_rest_does_not_come(carrier: int) -> None:
    parts.take_all([part(1, "a", total=4), part(4, "d", total=4)], carrier)
    assert parts.give_up(later(seconds=59)) == 0
    assert parts.give_up(later(seconds=61)) == 1
    assert taken() == ["a[…]d"]
    assert parts.give_up(later(seconds=61)) == 0


def test_a_reference_that_is_used_again_ends_the_older_text(carrier: int) -> None:
    parts.take_all([part(1, "old "), part(2, "words ")], carrier)
    parts.take_all([part(1, "new "), part(2, "text "), part(3, "whole")], carrier)
    assert taken() == ["new text whole"]
    parts.give_up(later(seconds=1))
    assert taken() == ["new text whole", "old words […]"]


@pytest.mark.promise("P4")
def test_a_process_that_dies_between_its_commits_neither_loses_nor_doubles(
    carrier: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    took = taking.take_all

    def dies_before(*_: Any, **__: Any) -> Any:
        raise OperationalError("the process is gone", None, Exception())

    def dies_after(*args: Any, **more: Any) -> Any:
        took(*args, **more)
        raise OperationalError("the process is gone", None, Exception())

    for death, ref in ((dies_before, 1), (dies_after, 2)):
        monkeypatch.setattr(taking, "take_all", death)
        with pytest.raises(OperationalError):
            parts.take_all([part(n, s, ref=ref) for n, s in enumerate("abc", 1)], carrier)
        monkeypatch.setattr(taking, "take_all", took)
        assert waiting() == 1
        parts.take_all([part(3, "c", ref=ref)], carrier)  # nobody told the carrier that we have it
        assert waiting() == 0
    assert taken() == ["abc", "abc"]
    # And where the carrier does not come again.
    monkeypatch.setattr(taking, "take_all", dies_before)
    with pytest.raises(OperationalError):
        parts.take_all([part(n, s, ref=3) for n, s in enumerate("xyz", 1)], carrier)
    monkeypatch.setattr(taking, "take_all", took)
    assert parts.give_up(later(seconds=6)) == 1
    assert taken() == ["abc", "abc", "xyz"]


def test_one_text_that_can_not_be_taken_does_not_hold_up_the_others(
    carrier: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    took = taking.take_all

    def faulty(inbounds: list[Inbound], *args: Any, **more: Any) -> Any:
        if "bad" in inbounds[0].body:
            raise ValueError("faulty")
        return took(inbounds, *args, **more)

    parts.take_all([part(1, "bad", ref=1), part(1, "good", ref=2)], carrier)
    monkeypatch.setattr(taking, "take_all", faulty)
    parts.give_up(later(seconds=61))
    assert (taken(), waiting()) == (["good[…]"], 1)
    monkeypatch.setattr(taking, "take_all", took)
    assert parts.give_up(later(seconds=62)) == 0
    parts.give_up(later(minutes=10))
    assert taken() == ["good[…]", "bad[…]"]


def test_what_is_kept_for_repetitions_is_forgotten(carrier: int) -> None:
    parts.take_all([part(n, s) for n, s in enumerate("abc", 1)], carrier)
    parts.give_up(later(minutes=9))
    with platform_session() as session:
        assert session.scalar(text("SELECT count(*) FROM parted_text")) == 1
    parts.give_up(later(minutes=11))
    with platform_session() as session:
        assert session.scalar(text("SELECT count(*) FROM parted_text")) == 0
