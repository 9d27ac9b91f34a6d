"""How many parts a text is sent in, and where it is cut. Pure.

GSM 03.38 (3GPP TS 23.038): 160 septets in one part, 153 in each of several; a character of the extension table (`€`,
`[`, …) takes two and is never cut in two. Anything else goes as UCS-2: 70 UTF-16 units in one part, 67 in each of
several, a surrogate pair never cut in two. `smsutil` cuts; what needs no cutting is counted without it. The same rules
stand in `web/ui/src/views/texts/segments.ts`; `tests/smsgateway/segment_cases.json` holds both to one table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import smsutil  # type: ignore[import-untyped]
from smsutil.codecs import GSM_BASIC_CHARSET, GSM_EXT_CHARSET  # type: ignore[import-untyped]


class Encoding(StrEnum):
    GSM7 = "gsm7"
    UCS2 = "ucs2"


@dataclass(frozen=True, slots=True)
class Segments:
    """`parts` that are charged; `units` in all (septets or UTF-16 units); what `units_left_in_part` still holds."""

    encoding: Encoding
    parts: int
    units: int
    units_left_in_part: int


SINGLE: Final = {Encoding.GSM7: 160, Encoding.UCS2: 70}
MULTI: Final = {Encoding.GSM7: 153, Encoding.UCS2: 67}

# The escape that announces the extension table is no character of its own.
_BASIC = GSM_BASIC_CHARSET.replace("\x1b", "")
_NOT_GSM = re.compile(f"[^{re.escape(_BASIC + GSM_EXT_CHARSET)}]")
_EXTENDED = re.compile(f"[{re.escape(GSM_EXT_CHARSET)}]")
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_NOTHING = Segments(Encoding.GSM7, 0, 0, 160)


def encoding(text: str) -> Encoding:
    """The encoding that `text` needs."""
    return Encoding.UCS2 if _NOT_GSM.search(text) else Encoding.GSM7


def count(text: str) -> Segments:
    """Parts and units of `text`. An empty text has none."""
    if not text:
        return _NOTHING
    if _NOT_GSM.search(text) is None:
        kind, wide = Encoding.GSM7, len(_EXTENDED.findall(text))
    else:
        kind, wide = Encoding.UCS2, 0 if text.isascii() else len(_ASTRAL.findall(text))
    units, single, multi = len(text) + wide, SINGLE[kind], MULTI[kind]
    if units <= single:
        return Segments(kind, 1, units, single - units)
    if not wide:
        parts = -(-units // multi)
        return Segments(kind, parts, units, parts * multi - units)
    # A character of two units may not fit at the end of a part, which then stays one short.
    cut = _cut(text, kind).parts
    per_unit = 1 if kind is Encoding.GSM7 else 2
    return Segments(kind, len(cut), units, multi - cut[-1].bytes // per_unit)


def split(text: str) -> list[str]:
    """The parts of `text` in order; joined they are `text`. An empty text has none."""
    return [part.content for part in _cut(text, encoding(text)).parts] if text else []


def _cut(text: str, kind: Encoding) -> smsutil.SplitResult:
    # Not smsutil.split: it takes a lone escape for a character.
    return smsutil.gsm_split(text) if kind is Encoding.GSM7 else smsutil.unicode_split(text)
