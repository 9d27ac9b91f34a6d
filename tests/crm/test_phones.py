"""The fast path against `phonenumbers`, and the reasons for refusing a number."""

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.phones import Normaliser, PhoneFault, judge, time_zone_of

_SEPARATORS = st.sampled_from(["", " ", "-", ".", "  ", ") ", "("])


@st.composite
def written_numbers(draw: st.DrawFn) -> str:
    prefix = draw(st.sampled_from(["", "+86", "86", "0086", "+1", "1", "0", "+", "+44", "00"]))
    mobile, american = r"1[3-9]\d{9}", r"[2-9]\d{2}[2-9]\d{6}"
    forms = [st.from_regex(form, fullmatch=True) for form in (mobile, american)]
    digits = draw(st.one_of(st.text("0123456789", min_size=5, max_size=13), *forms))
    at = draw(st.integers(0, len(digits)))
    return prefix + digits[:at] + draw(_SEPARATORS) + digits[at:]


@pytest.mark.promise("L1")
@pytest.mark.parametrize("country", ["CN", "US", "CA"])
def test_fast_path_agrees_with_phonenumbers(country: str) -> None:
    normaliser = Normaliser(country)

    @settings(max_examples=800, deadline=None)
    @given(written_numbers())
    def holds(text: str) -> None:
        fast = normaliser.e164(text)
        if fast is not None:
            number = phonenumbers.parse(text, country)
            assert phonenumbers.is_valid_number(number)
            assert fast == phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    holds()


@pytest.mark.parametrize("block", range(130, 200))
def test_every_chinese_mobile_prefix_is_judged_alike(block: int) -> None:
    normaliser = Normaliser("CN")
    for sub in range(10):
        text = f"{block}{sub}1234567"
        assert (normaliser.e164(text) is not None) == (judge(text, "CN").fault is None), text


@pytest.mark.promise("L1")
@pytest.mark.parametrize(
    ("text", "country", "want"),
    [
        ("13812345678", "CN", "+8613812345678"),
        ("138 1234 5678", "CN", "+8613812345678"),
        ("+86 138-1234-5678", "US", "+8613812345678"),
        ("13812345678.0", "CN", "+8613812345678"),
        ("１３８１２３４５６７８", "CN", "+8613812345678"),
        ("010-62345678", "CN", "+861062345678"),
        ("(212) 555-2368", "US", "+12125552368"),
        ("020 7946 0958", "GB", "+442079460958"),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, country: str, want: str) -> None:
    assert Normaliser(country).read(text).e164 == want


@pytest.mark.promise("L1")
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", PhoneFault.MISSING),
        ("Wang Li", PhoneFault.NOT_A_NUMBER),
        ("1.38E+10", PhoneFault.NOT_A_NUMBER),
        ("1381", PhoneFault.TOO_SHORT),
        ("138123456789012", PhoneFault.TOO_LONG),
        ("+999 123456789", PhoneFault.COUNTRY),
        ("21012345678", PhoneFault.INVALID),
        ("1" * 60, PhoneFault.NOT_A_NUMBER),
    ],
)
def test_a_refused_number_says_why(text: str, fault: PhoneFault) -> None:
    assert Normaliser("CN").read(text).fault is fault


@pytest.mark.promise("L2")
@pytest.mark.parametrize(
    ("e164", "zone"),
    [
        ("+8613812345678", "Asia/Shanghai"),
        ("+12125552368", "America/New_York"),
        ("+13105552368", "America/Los_Angeles"),
        ("+442079460958", "Europe/London"),
        ("+18005552368", ""),
    ],
)
def test_time_zone_comes_from_the_number(e164: str, zone: str) -> None:
    assert time_zone_of(e164) == zone
