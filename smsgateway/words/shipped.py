"""The words that come with the product, by category and language, and the phrases in which none is sensitive. Pure data
from `builtin/`: `<category>.<language>.txt`, a word a line, `#` before a remark.

A word's key is the word itself as the file has it, so that an enterprise's choice to switch it off outlives any change
of the files around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from smsgateway.words.normalise import fold

_FOLDER: Final = Path(__file__).parent / "builtin"
CATEGORIES: Final = (
    "fraud",
    "gambling",
    "pornography",
    "drugs",
    "weapons",
    "loans",
    "invoices",
    "politics",
    "insults",
    "medical",
)
OWN: Final = "own"  # category of an enterprise's word that it puts into none of these
LANGUAGES: Final = ("zh", "en")
CATEGORY_KEY: Final = "category:"  # before a category in `BuiltInWordOff.key`: all of it is off


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A built-in word. `language`: zh or en."""

    key: str
    category: str
    language: str


def _lines(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


@lru_cache(maxsize=1)
def built_in() -> tuple[BuiltIn, ...]:
    """All built-in words, by category, Chinese first, in the files' order."""
    return tuple(
        BuiltIn(word, category, language)
        for category in CATEGORIES
        for language in LANGUAGES
        for word in _lines(_FOLDER / f"{category}.{language}.txt")
    )


@lru_cache(maxsize=1)
def by_folded() -> dict[str, BuiltIn]:
    """Built-in words by what is searched for."""
    return {fold(b.key): b for b in built_in()}


@lru_cache(maxsize=1)
def all_keys() -> frozenset[str]:
    """The keys of all built-in words."""
    return frozenset(b.key for b in built_in())


@lru_cache(maxsize=1)
def phrases() -> tuple[str, ...]:
    """Phrases in which no word is sensitive, for everybody."""
    return tuple(_lines(_FOLDER / "phrases.txt"))
