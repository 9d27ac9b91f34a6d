"""The names that carriers give to what they took, in one notation. Pure.

The same text may be `0A1B` in the answer to its submission and `2587` in its receipt, with leading zeros or without,
in capitals or not. Both sides are brought to one spelling before they are compared; which notation a carrier uses on
which side is a setting of it (`Notation`), because a guess would sometimes give a receipt to another text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from smsgateway.carriers.port import Receipt
from smsgateway.templates import clean

MAX_LENGTH = 100
_HEX = re.compile(r"(?:0x)?[0-9a-f]+", re.IGNORECASE | re.ASCII)
_DECIMAL = re.compile(r"[0-9]+", re.ASCII)


class Notation(StrEnum):
    """How one side writes a reference."""

    TEXT = "text"  # letters and digits as they are: case and leading zeros do not count
    HEX = "hex"
    DECIMAL = "decimal"


@dataclass(frozen=True, slots=True)
class Notations:
    """A carrier's two sides. `same`: neither needs to be converted."""

    answer: Notation = Notation.TEXT
    receipt: Notation = Notation.TEXT


# Setting `ids` of a carrier.
NOTATIONS: dict[str, Notations] = {
    "same": Notations(),
    "hex_then_decimal": Notations(Notation.HEX, Notation.DECIMAL),
    "decimal_then_hex": Notations(Notation.DECIMAL, Notation.HEX),
}


def normalise(ref: str, notation: Notation = Notation.TEXT) -> str:
    """`ref` in the one spelling under which it is stored and compared; empty if there is nothing in it.

    A number comes out as decimal digits. What does not fit its notation is taken as text, so that it can still be
    compared with itself.
    """
    plain = clean(ref).strip()[:MAX_LENGTH]
    if notation is Notation.HEX and _HEX.fullmatch(plain):
        return str(int(plain, 16))
    if notation is Notation.DECIMAL and _DECIMAL.fullmatch(plain):
        return str(int(plain))
    lowered = plain.lower()
    return lowered.lstrip("0") or lowered[-1:]


def other_spellings(ref: str) -> tuple[str, ...]:
    """What a normalised `ref` of a receipt could be if the carrier's notation were set wrongly: for a hint to the
    operator, never for matching."""
    out = []
    if _DECIMAL.fullmatch(ref):
        out.append(f"{int(ref):x}")
    if _HEX.fullmatch(ref):
        out.append(str(int(ref, 16)))
    return tuple(o for o in out if o != ref)


def with_ref(receipt: Receipt, ref: str) -> Receipt:
    """`receipt` for another reference."""
    return Receipt(ref, receipt.status, receipt.code, receipt.at)
