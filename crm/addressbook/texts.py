"""Texts of the address book: what a name is sorted by, what is looked through, what a birthday is. Pure."""

from __future__ import annotations

import re
import unicodedata
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass

from crm.phones import Normaliser

_LEAP_YEAR = 2000  # any: a birthday without a year may be 29 February
FIRST_YEAR = 1880
_NUMBER_LIKE = re.compile(r"[+(]?[\d\s()\-.+/]+")


def folded(text: str) -> str:
    """`text` as it is compared: one form of each character, no capitals, one blank between words."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def name_key(name: str) -> str:
    """What a name is sorted by, in digits that sort alike in every collation: Latin names by letter, then Chinese names
    by pinyin, since GB 18030 keeps the common characters in that order. Names without a text come last."""
    text = folded(name)
    return text[:40].encode("gb18030", "replace").hex() if text else "~"


def search_text(name: str, company: str, email: str, phones: Sequence[str]) -> str:
    """What searching looks through: each on a line of its own, numbers as digits with their country code."""
    return "\n".join([*filter(None, map(folded, (name, company, email))), *(p.lstrip("+") for p in phones)])


@dataclass(frozen=True)
class Wanted:
    """What a search asks for: a whole number, or texts that must all stand in `search_text`."""

    phone_e164: str = ""
    words: tuple[str, ...] = ()


def wanted(text: str, country: str) -> Wanted:
    """Read a search as typed. A number may stand in any form; a part of one is looked for by its digits."""
    text = unicodedata.normalize("NFKC", text).strip()
    if not _NUMBER_LIKE.fullmatch(text):
        return Wanted(words=tuple(dict.fromkeys(folded(text).split()))[:8])
    phone = Normaliser(country).read(text)
    if phone.fault is None:
        return Wanted(phone_e164=phone.e164)
    digits = re.sub(r"\D", "", text)
    # Within a number neither the way abroad nor the way out of town is kept.
    return Wanted(words=(digits.lstrip("0") or digits,)) if digits else Wanted(words=(folded(text),))


@dataclass(frozen=True)
class Birthday:
    """A day of birth; `year` None if it is not known."""

    month: int
    day: int
    year: int | None = None

    def __str__(self) -> str:
        """`1990-05-01`, or `05-01` without the year."""
        tail = f"{self.month:02}-{self.day:02}"
        return tail if self.year is None else f"{self.year:04}-{tail}"


_WITH_YEAR = re.compile(r"(\d{4})[-/.年]\s?(\d{1,2})[-/.月]\s?(\d{1,2})日?(?:[ T]0{1,2}:00(?::00)?)?", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_WITHOUT_YEAR = re.compile(r"(?:--)?(\d{1,2})[-/.月]\s?(\d{1,2})日?", re.ASCII)


def birthday(text: str, *, this_year: int) -> Birthday | None:
    """`1990-05-01`, `1990/5/1`, `1990年5月1日`, `19900501`, or without the year `05-01`, `5/1`, `5月1日`. None if it is
    no day of the calendar, or of a year before 1880 or after `this_year`."""
    text = unicodedata.normalize("NFKC", text).strip()
    found = _WITH_YEAR.fullmatch(text) or _COMPACT.fullmatch(text)
    if found:
        year, month, day = (int(g) for g in found.groups())
        if not FIRST_YEAR <= year <= this_year:
            return None
        return Birthday(month, day, year) if _is_day(year, month, day) else None
    found = _WITHOUT_YEAR.fullmatch(text)
    if not found:
        return None
    month, day = (int(g) for g in found.groups())
    return Birthday(month, day) if _is_day(_LEAP_YEAR, month, day) else None


def _is_day(year: int, month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]
