"""Phone numbers: what a person or a file wrote → E.164, or the reason why not; and the time zone of a number.

`phonenumbers` decides. Its answer costs 25 µs, so the two commonest kinds of input have a fast path built from the same
metadata: mainland Chinese mobiles and North American numbers. The tests hold the fast path equal to `phonenumbers`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, ValidationResult
from phonenumbers.timezone import time_zones_for_number


class PhoneFault(StrEnum):
    """Why a text is not a number that can be dialed."""

    MISSING = "phone_missing"
    NOT_A_NUMBER = "phone_not_a_number"
    TOO_SHORT = "phone_too_short"
    TOO_LONG = "phone_too_long"
    COUNTRY = "phone_country"  # a country code that does not exist
    INVALID = "phone_invalid"  # right length, but no such range in that country


@dataclass(frozen=True)
class Phone:
    """A judged number: `e164` is empty exactly if `fault` is set."""

    e164: str
    fault: PhoneFault | None = None


SUPPORTED_COUNTRIES: frozenset[str] = frozenset(phonenumbers.SUPPORTED_REGIONS)  # ISO 3166 alpha-2
_LETTERS = re.compile(r"[^\W\d_]")
_NOISE = str.maketrans("", "", " -().\u00a0\u2010\u2011\u2013")
_WHOLE_FLOAT = re.compile(r"\d{5,15}\.0")  # a spreadsheet's number cell
_MAX_TEXT = 40


def _fast_pattern(country: str) -> tuple[re.Pattern[str], str] | None:
    """(pattern whose group 1 is the national number, country prefix) for countries with a fast path."""
    meta = PhoneMetadata.metadata_for_region(country) if country in ("CN", "US", "CA") else None
    if meta is None:
        return None
    range_ = meta.mobile if country == "CN" else meta.fixed_line
    if range_ is None:
        return None
    code, before = ("+86", r"\+?86|0086") if country == "CN" else ("+1", r"\+?1")
    return re.compile(rf"(?:{before})?({range_.national_number_pattern})", re.ASCII), code


class Normaliser:
    """Reads numbers as they are written in `country` (ISO 3166 alpha-2). One per import; calls are independent."""

    def __init__(self, country: str) -> None:
        self.country = country.upper()
        fast = _fast_pattern(self.country)
        self._match = fast[0].fullmatch if fast else None
        self._prefix = fast[1] if fast else ""

    def e164(self, text: str) -> str | None:
        """E.164 by the fast path alone; None when it does not know the form (which says nothing about the number)."""
        if self._match is None:
            return None
        m = self._match(text)
        if m is None:
            if not text.isascii():
                return None
            m = self._match(text.translate(_NOISE))
            if m is None:
                return None
        return self._prefix + m[1]

    def read(self, text: str) -> Phone:
        """Judge `text`."""
        fast = self.e164(text)
        return Phone(fast) if fast is not None else judge(text, self.country)


def judge(text: str, country: str) -> Phone:
    """What `phonenumbers` says of `text`, read as a number of `country` when no country code is given."""
    text = text.strip().strip("'\u200e\u202a\u202c")
    if not text:
        return Phone("", PhoneFault.MISSING)
    if _WHOLE_FLOAT.fullmatch(text):
        text = text[:-2]
    if len(text) > _MAX_TEXT or _LETTERS.search(text):
        return Phone("", PhoneFault.NOT_A_NUMBER)
    try:
        number = phonenumbers.parse(text, country)
    except NumberParseException as error:
        return Phone("", _PARSE_FAULTS.get(error.error_type, PhoneFault.NOT_A_NUMBER))
    if phonenumbers.is_valid_number(number):
        return Phone(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    possible = phonenumbers.is_possible_number_with_reason(number)
    return Phone("", _LENGTH_FAULTS.get(possible, PhoneFault.INVALID))


_PARSE_FAULTS = {
    NumberParseException.INVALID_COUNTRY_CODE: PhoneFault.COUNTRY,
    NumberParseException.TOO_SHORT_AFTER_IDD: PhoneFault.TOO_SHORT,
    NumberParseException.TOO_SHORT_NSN: PhoneFault.TOO_SHORT,
    NumberParseException.TOO_LONG: PhoneFault.TOO_LONG,
}
_LENGTH_FAULTS = {
    ValidationResult.TOO_SHORT: PhoneFault.TOO_SHORT,
    ValidationResult.TOO_LONG: PhoneFault.TOO_LONG,
    ValidationResult.INVALID_COUNTRY_CODE: PhoneFault.COUNTRY,
}


_WITHHELD = frozenset({"anonymous", "unavailable", "restricted", "private", "unknown", "withheld"})


def caller_number(text: str, country: str) -> str:
    """The number of a caller as a trunk wrote it: E.164 if it is one (read as one of `country`, or with the country
    code but without its plus), as it was written if it is none that can be dialed from abroad (a short service number),
    and empty if it was withheld."""
    text = text.strip()
    if not text or text.lower() in _WITHHELD:
        return ""
    normaliser = Normaliser(country)
    for form in (text, f"+{text}"):
        phone = normaliser.read(form)
        if phone.fault is None:
            return phone.e164
    return text


def time_zone_of(e164: str) -> str:
    """IANA zone of the place that `e164` belongs to; empty where the number does not tell (several zones, no place)."""
    if e164.startswith("+86"):
        return "Asia/Shanghai"
    return _zone_by_prefix(e164[:8], len(e164))


@lru_cache(maxsize=20_000)
def _zone_by_prefix(prefix: str, length: int) -> str:
    # Zones hang on the area code; the digits after the prefix do not change the answer.
    try:
        number = phonenumbers.parse(prefix.ljust(length, "1"))
    except NumberParseException:
        return ""
    zones = time_zones_for_number(number)
    return zones[0] if len(zones) == 1 and zones[0] != "Etc/Unknown" else ""
