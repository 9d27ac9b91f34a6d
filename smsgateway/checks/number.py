"""Check 2: is it a number that can get a text, and does a route lead there?

`phonenumbers` decides, by its kinds of number: a text goes to mobiles, to what may be one (as in North America, where
the number does not tell), to internet telephones and pagers. Asking it costs 40 µs, so what surely is a mobile of its
country is recognised by the same metadata first; the tests hold both equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberType

from smsgateway.checks.verdict import Check, Refusal

_DEAF = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.VOICEMAIL,
        PhoneNumberType.UAN,
    }
)
_E164 = re.compile(r"\+[1-9][0-9]{5,14}", re.ASCII)
_NOT_E164 = Refusal(Check.NUMBER, "not_e164")
_NOT_MOBILE = Refusal(Check.NUMBER, "not_mobile")
_NO_ROUTE = Refusal(Check.NUMBER, "no_route")


def check(phone: str, reachable: Callable[[str], bool]) -> Refusal | None:
    """Rules: `not_e164`, `not_mobile` (a landline or a service number), `no_route`."""
    if not _surely_mobile(phone):
        fault = _ask(phone)
        if fault is not None:
            return fault
    return None if reachable(phone) else _NO_ROUTE


def _surely_mobile(phone: str) -> bool:
    for digits in (2, 3, 4):  # with the plus
        pattern = _mobiles(phone[:digits])
        if pattern is not None:
            return pattern.fullmatch(phone, digits) is not None
    return False


@lru_cache(maxsize=4096)
def _mobiles(prefix: str) -> re.Pattern[str] | None:
    """National numbers of `prefix` (plus and country code) that are mobiles of its main region and nothing else."""
    code = prefix[1:]
    if not (prefix.startswith("+") and code.isascii() and code.isdecimal()):
        return None
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code))
    meta = PhoneMetadata.metadata_for_region(regions[0]) if regions and regions[0] != "001" else None
    if meta is None or meta.leading_digits or meta.mobile is None or not meta.mobile.national_number_pattern:
        return None
    others = (
        meta.premium_rate, meta.toll_free, meta.shared_cost, meta.voip, meta.personal_number, meta.pager, meta.uan,
        meta.voicemail,
    )  # fmt: skip
    patterns = [o.national_number_pattern for o in others if o is not None and o.national_number_pattern]
    not_these = f"(?!(?:{'|'.join(patterns)})$)" if patterns else ""
    general = meta.general_desc.national_number_pattern if meta.general_desc else ".*"
    return re.compile(f"{not_these}(?=(?:{general})$)(?:{meta.mobile.national_number_pattern})", re.ASCII)


@lru_cache(maxsize=50_000)
def _ask(phone: str) -> Refusal | None:
    if not _E164.fullmatch(phone):
        return _NOT_E164
    try:
        number = phonenumbers.parse(phone)
    except NumberParseException:
        return _NOT_E164
    if phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) != phone:
        return _NOT_E164  # as with a trunk zero after the country code
    if not phonenumbers.is_valid_number(number):
        return _NOT_E164
    return _NOT_MOBILE if phonenumbers.number_type(number) in _DEAF else None
