"""What two spellings of a word have in common: folding, and the way back to where a folded letter stood. Pure.

Every character is folded by itself, so one table does all of it in one pass: compatibility forms (full-width, circled,
mathematical letters), case, accents, traditional to simplified Chinese, digits of all scripts, and letters of other
scripts that look like Latin ones. What is neither letter nor digit is dropped; `dropped` tells an *invisible* character
(zero-width, combining, control), which no reader sees, from a *separator* (space, punctuation, symbol), which is seen.

Sources: Unicode 15 NFKC and case folding by `unicodedata`; OpenCC's character tables (t2s); look-alikes after
Unicode TS 39, only those that deceive at a glance.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

import opencc

# Latin letter → letters of other scripts and phonetic ones that look like it, after case folding, so that both cases of
# a Greek or Russian word fold to the same.
_LOOK_ALIKE: Final = {
    "a": "аαɑɐᴀ",
    "b": "вьβʙƅ",
    "c": "сᴄꞓ",
    "d": "ԁđɖᴅ",
    "e": "еєεɛᴇ",
    "f": "ƒꜰ",
    "g": "ɡɢԍց",
    "h": "һнħʜհ",
    "i": "іıɩɪι",
    "j": "јᴊյ",
    "k": "кκᴋқ",
    "l": "ӏłɬʟ",
    "m": "мᴍ",
    "n": "ηɴոŋ",
    "o": "оοøөօᴏ",
    "p": "рρᴘ",
    "q": "ԛզ",
    "r": "гʀɾ",
    "s": "ѕꜱƨ",
    "t": "тτᴛŧ",
    "u": "υսʋᴜ",
    "v": "νѵᴠ",
    "w": "ѡԝωᴡա",
    "x": "хχ",
    "y": "уүγʏ",
    "z": "ᴢ",
    "ae": "æ",
    "oe": "œ",
}
_LATIN: Final = {odd: latin for latin, odds in _LOOK_ALIKE.items() for odd in odds}
# Letters in circles, squares and flags that Unicode gives no compatibility form.
_ALPHABETS: Final = (0x1F150, 0x1F170, 0x1F1E6)
# Letters by their category, blank to the eye.
_BLANK_LETTERS: Final = frozenset("\u115f\u1160\u3164\uffa0\u17b4\u17b5")
_SEEN_CONTROLS: Final = frozenset("\t\n\v\f\r\x1c\x1d\x1e\x1f\x85")
_INVISIBLE_CATEGORIES: Final = frozenset({"Cf", "Mn", "Me", "Mc", "Cc", "Cn", "Co", "Cs"})
# Han characters live in planes 0, 2 and 3; what lies beyond is neither letter nor digit.
_LETTERS_END: Final = 0x33480
_HAN: Final = (range(0x3400, 0xA000), range(0xF900, 0xFB00), range(0x20000, _LETTERS_END))

Table = list[int | str | None]


@lru_cache(maxsize=1)
def table() -> Table:
    """For `str.translate`, by code point: what a character is folded to, None if it is dropped. Made once: 0.3 s."""
    made: Table = [None] * 0x110000
    simple = _simplified()
    for point in range(_LETTERS_END):
        char = chr(point)
        folded = _fold(char, simple)
        if folded:
            # A number is taken over quicker than a text of one character.
            made[point] = ord(folded) if len(folded) == 1 else folded
    for start in _ALPHABETS:
        for n in range(26):
            made[start + n] = ord("a") + n
    return made


def _simplified() -> dict[str, str]:
    chars = [chr(point) for block in _HAN for point in block]
    converted = opencc.OpenCC("t2s").convert("\n".join(chars)).split("\n")
    return {old: new for old, new in zip(chars, converted, strict=True) if old != new}


def _fold(char: str, simple: dict[str, str]) -> str:
    if char in _BLANK_LETTERS:
        return ""
    out = []
    # Decomposed, so that a letter with its accent and one with a combining accent after it become the same.
    for c in unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", char).casefold()).casefold():
        kind = unicodedata.category(c)
        if kind == "Nd":
            out.append(str(unicodedata.decimal(c)))
        elif kind[0] in "LN" and c not in _BLANK_LETTERS:
            out.append(_LATIN.get(c) or simple.get(c, c))
    return "".join(out)


def fold(text: str) -> str:
    """`text` as it is searched."""
    return text.translate(table())


def positions(text: str, folded: str) -> list[int]:
    """For each character of `folded` (the folded `text`) the position in `text` that it comes from."""
    points = table()
    at = [i for i, c in enumerate(text) if points[ord(c)] is not None]
    if len(at) == len(folded):
        return at
    spread = []
    for i in at:
        made = points[ord(text[i])]
        spread += [i] * (len(made) if isinstance(made, str) else 1)
    return spread


@lru_cache(maxsize=4096)
def invisible(char: str) -> bool:
    """Whether a dropped character is one that no reader sees."""
    if char in _BLANK_LETTERS:
        return True
    return unicodedata.category(char) in _INVISIBLE_CATEGORIES and char not in _SEEN_CONTROLS


def dropped(char: str) -> bool:
    """Whether folding leaves nothing of `char`."""
    return table()[ord(char)] is None


def spaced(char: str) -> bool:
    """Whether a folded letter is of a script that sets words apart by spaces."""
    return char.isalpha() and ord(char) < 0x0E00
