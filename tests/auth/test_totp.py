"""Codes of the second factor: the vectors of RFC 6238, the window, and that no step counts twice."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from callcenter.auth import totp
from tests.auth.authenticator import code_at

pytestmark = pytest.mark.promise("E1")
# RFC 6238, appendix B, SHA-1: of its eight digits an app shows the last six.
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(("seconds", "digits"), RFC)
def test_the_codes_of_the_rfc_are_accepted_at_their_times(seconds: int, digits: str) -> None:
    assert code_at(RFC_SECRET, seconds, 8) == digits, "the test's own app is right"
    assert totp.matching_step(RFC_SECRET, digits[-6:], at(seconds), 0) == seconds // 30


def test_a_code_fits_one_step_early_and_late_and_no_further() -> None:
    secret, now = totp.new_secret(), 1_800_000_000
    fits = [
        steps
        for steps in range(-4, 5)
        if totp.matching_step(secret, code_at(secret, now + 30 * steps), at(now), 0) is not None
    ]
    assert fits == [-1, 0, 1]


def test_a_step_that_was_accepted_and_those_before_it_count_no_more() -> None:
    secret, now = totp.new_secret(), 1_800_000_000
    step = totp.matching_step(secret, code_at(secret, now), at(now), 0)
    assert step == now // 30
    assert totp.matching_step(secret, code_at(secret, now), at(now), step) is None
    assert totp.matching_step(secret, code_at(secret, now - 30), at(now), step) is None
    assert totp.matching_step(secret, code_at(secret, now + 30), at(now + 30), step) == step + 1


@pytest.mark.parametrize("given", ["", "12345", "1234567", "abcdef", "12 345", "-12345", "１２３４５６"])
def test_what_is_no_code_of_six_digits_never_fits(given: str) -> None:
    assert totp.matching_step(RFC_SECRET, given, at(59), 0) is None


def test_spaces_hyphens_capitals_and_wide_digits_are_forgiven() -> None:
    assert totp.plain(" 287 082 ") == "287082"
    assert totp.plain("２８７-０８２") == "287082"
    assert totp.plain("AB23-CD45-ef67-gh89") == "ab23cd45ef67gh89"


def test_the_address_is_what_apps_read() -> None:
    parts = urlsplit(totp.address(RFC_SECRET, "li.wei", "acme"))
    query = parse_qs(parts.query)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert query["secret"] == [RFC_SECRET]
    assert query["issuer"] == [totp.ISSUER]


def test_recovery_codes_are_ten_different_ones_and_their_hash_is_the_users_own() -> None:
    codes = totp.new_recovery_codes()
    assert len(set(codes)) == totp.RECOVERY_CODES
    assert all(len(totp.plain(c)) == 16 and len(c) == 19 for c in codes)
    assert totp.recovery_hash(1, codes[0]) == totp.recovery_hash(1, codes[0].upper().replace("-", " "))
    assert totp.recovery_hash(1, codes[0]) != totp.recovery_hash(2, codes[0])
