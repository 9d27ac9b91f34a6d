"""Who the demo carrier's subscribers are: fixed by the number alone, mixed as promised."""

from __future__ import annotations

from collections import Counter

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.people import TIME_ZONE, demo_people
from demo.subscribers import FAST, NORMAL, WEIGHTS, Kind, demo_numbers, numbers_of, phone_numbers, subscriber


@given(st.text())
def test_any_dialed_text_has_a_subscriber_and_always_the_same(number: str) -> None:
    assert subscriber(number) == subscriber(number)


def test_notation_of_a_number_does_not_matter() -> None:
    assert subscriber("+86 139-0000-1234") == subscriber("8613900001234")


def test_known_numbers_keep_their_behaviour_between_versions() -> None:
    kinds = [subscriber(number).kind.value for number in demo_numbers(12)]
    assert kinds == [
        "person", "person", "invalid", "person", "person", "person",
        "person", "person", "person", "person", "machine", "person",
    ]  # fmt: skip


def test_the_mix_is_within_two_points_of_its_weights() -> None:
    seen = Counter(subscriber(number).kind for number in demo_numbers(9000))
    assert sum(weight for _, weight in WEIGHTS) == 100
    for kind, percent in WEIGHTS:
        assert abs(seen[kind] / 90 - percent) < 2, kind


@pytest.mark.parametrize(("pace", "ring", "talk"), [(NORMAL, (2, 8), (20, 90)), (FAST, (0.2, 0.6), (1, 3))])
def test_times_lie_within_the_pace(pace: object, ring: tuple[float, float], talk: tuple[float, float]) -> None:
    leaving = 0
    for number in demo_numbers(1000):
        who = subscriber(number, FAST if pace is FAST else NORMAL)
        if who.kind in (Kind.PERSON, Kind.MACHINE, Kind.EARLY_HANG_UP, Kind.NO_ANSWER):
            assert ring[0] <= who.ring_s <= ring[1]
        if who.kind is Kind.PERSON and who.hang_up_after_s is not None:
            leaving += 1
            assert talk[0] <= who.hang_up_after_s <= talk[1]
    assert 150 < leaving < 300  # about half of the persons


def test_demo_numbers_are_valid_different_and_the_first_one_stays_on_the_line() -> None:
    numbers = [*demo_numbers(9000), *phone_numbers(10)]
    assert len(set(numbers)) == 9010
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(number)) for number in numbers[::97])
    first = subscriber(numbers[0])
    assert first.kind is Kind.PERSON and first.hang_up_after_s is None


def test_numbers_can_be_had_by_kind_and_no_more_than_there_are() -> None:
    assert all(subscriber(number).kind is Kind.MACHINE for number in numbers_of(Kind.MACHINE, 20))
    with pytest.raises(ValueError, match="only"):
        numbers_of(Kind.EARLY_HANG_UP, 9000)


def test_five_hundred_leads_are_the_same_every_time_with_unique_numbers_and_the_phones_among_the_first() -> None:
    people = demo_people()
    assert people == demo_people() and len(people) == 500
    numbers = [person["phone_e164"] for person in people]
    assert len(set(numbers)) == 500
    assert set(phone_numbers(2)) <= set(numbers[:20])
    assert all(2 <= len(person["name"]) <= 3 and person["city"] in person["company"] for person in people)
    assert TIME_ZONE == "Asia/Shanghai"
