"""Which numbers can get a text: the quick answer is the one that `phonenumbers` gives."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from smsgateway.checks import number
from smsgateway.checks.verdict import everywhere

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)


def rule(phone: str) -> str | None:
    refusal = number.check(phone, everywhere)
    return refusal.rule if refusal else None


def example(region: str, kind: int) -> str | None:
    found = phonenumbers.example_number_for_type(region, kind)
    return phonenumbers.format_number(found, PhoneNumberFormat.E164) if found else None


@pytest.mark.promise("S2")
@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        ("+8613812345678", None),
        ("+12125550123", None),  # may be a mobile: the number does not tell
        ("+447400123456", None),
        ("+861012345678", "not_mobile"),
        ("+864001234567", "not_mobile"),
        ("+442079460000", "not_mobile"),
        ("+18005550123", "not_mobile"),
        ("13812345678", "not_e164"),
        ("+86 13812345678", "not_e164"),
        ("+86138123456789", "not_e164"),
        ("+4407400123456", "not_e164"),
        ("+999123456789", "not_e164"),
        ("+８６13812345678", "not_e164"),
        ("", "not_e164"),
        ("+", "not_e164"),
        ("'; DROP TABLE", "not_e164"),
        ("+" + "1" * 5000, "not_e164"),
    ],
)
def test_a_text_goes_to_mobiles_only(phone: str, expected: str | None) -> None:
    assert rule(phone) == expected


def test_mobiles_of_every_country_can_get_a_text() -> None:
    phones = [p for region in REGIONS if (p := example(region, PhoneNumberType.MOBILE))]
    assert len(phones) > 200
    assert [p for p in phones if rule(p) is not None] == []


def test_landlines_and_service_numbers_can_not() -> None:
    kinds = (PhoneNumberType.FIXED_LINE, PhoneNumberType.TOLL_FREE, PhoneNumberType.PREMIUM_RATE)
    phones = [p for region in REGIONS for kind in kinds if (p := example(region, kind))]
    told = [p for p in phones if phonenumbers.number_type(phonenumbers.parse(p)) in kinds]
    assert len(told) > 400
    assert {rule(p) for p in told} == {"not_mobile"}


@given(st.sampled_from(CODES), st.from_regex(r"[0-9]{4,12}", fullmatch=True))
@settings(max_examples=600, deadline=None)
def test_the_quick_answer_is_the_slow_one(code: int, rest: str) -> None:
    phone = f"+{code}{rest}"
    if number._surely_mobile(phone):
        assert number._ask(phone) is None


@given(st.sampled_from(REGIONS), st.integers(0, 9999))
@settings(max_examples=600, deadline=None)
def test_the_quick_answer_is_the_slow_one_near_real_mobiles(region: str, last: int) -> None:
    mobile = example(region, PhoneNumberType.MOBILE)
    if mobile:
        phone = mobile[:-4] + f"{last:04d}"
        if number._surely_mobile(phone):
            assert number._ask(phone) is None


def test_no_route_is_told_last() -> None:
    refusal = number.check("+8613812345678", lambda phone: not phone.startswith("+86"))
    assert refusal is not None
    assert refusal.rule == "no_route"
    assert number.check("+861012345678", lambda _: False).rule == "not_mobile"  # type: ignore[union-attr]
