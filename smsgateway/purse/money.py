"""Amounts as decimal text and as integers in minor units, exactly. Pure.

Minor units are those of ISO 4217: two decimals but for the currencies named here.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

DECIMALS: Final = {
    **dict.fromkeys((  # as in web/ui/src/kit/money.ts
        "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF",
    ), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}  # fmt: skip
MOST_MINOR: Final = 10**15  # more than this is a slip of the keyboard, and browsers count exactly only to 2**53
_AMOUNT = re.compile(r"([+-]?)(\d+|\d{1,3}(?:,\d{3})+)(?:\.(\d*))?")


class NotAnAmount(ValueError):
    """The text is not an amount of the currency."""


def decimals(currency: str) -> int:
    """Digits behind the point."""
    return DECIMALS.get(currency.upper(), 2)


def parse(given: str, currency: str) -> int:
    """ "1,234.5" or "１２３４．５" in CNY → 123450. Raises NotAnAmount, also for more digits than the currency has."""
    match = _AMOUNT.fullmatch(unicodedata.normalize("NFKC", given).strip())
    digits = decimals(currency)
    if match is None:
        raise NotAnAmount(given)
    sign, whole, fraction = match.group(1), match.group(2).replace(",", ""), (match.group(3) or "").rstrip("0")
    if len(fraction) > digits or len(whole) > 18:
        raise NotAnAmount(given)
    value = int(whole + fraction.ljust(digits, "0"))
    if value > MOST_MINOR:
        raise NotAnAmount(given)
    return -value if sign == "-" else value


def plain(amount_minor: int, currency: str) -> str:
    """123450 in CNY → "1234.50", as providers and files write it."""
    digits = decimals(currency)
    whole, fraction = divmod(abs(amount_minor), 10**digits)
    text = f"{whole}.{fraction:0{digits}d}" if digits else str(whole)
    return f"-{text}" if amount_minor < 0 else text
