"""Which of our numbers was dialed: trunks write it with or without country code, plus or area. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from callcenter.numbers.routing import NumberDoc

LEAST_DIGITS = 3  # some trunks send only the last digits, the extension


def find_number(numbers: Iterable[NumberDoc], dialed: str, trunk_id: int) -> NumberDoc | None:
    """The number that `dialed` names on `trunk_id`: the same digits, else the only one that ends with them (without
    leading zeros). None if there is none, or if it is not clear which."""
    digits = "".join(c for c in dialed if c.isdigit())
    there = [n for n in numbers if not n.trunk_ids or trunk_id in n.trunk_ids]
    for number in there:
        if number.e164 == f"+{digits}":
            return number
    ending = digits.lstrip("0")
    if len(ending) < LEAST_DIGITS:
        return None
    found = [n for n in there if n.e164 == f"+{ending}"] or [n for n in there if n.e164.endswith(ending)]
    return found[0] if len(found) == 1 else None
