"""Built-in words as an enterprise sees them: which there are, which are on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from smsgateway.models import BuiltInWordOff, SensitiveWord
from smsgateway.words import shipped
from smsgateway.words.normalise import fold


@dataclass(frozen=True)
class Shown:
    """A built-in word. `enabled`: it is searched for; `category_off`: not, because its category is switched off."""

    key: str
    category: str
    language: str
    enabled: bool
    category_off: bool


@dataclass(frozen=True)
class CategoryCount:
    """How many words a category has. `enabled`: whether its built-in words are on as a whole; `off`: how many of them
    are switched off one by one."""

    category: str
    built_in: int
    off: int
    own: int
    enabled: bool


def built_in(
    session: Session, *, search: str = "", category: str = "", language: str = "", enabled: bool | None = None
) -> list[Shown]:
    """Built-in words that fit, in the list's order. `search` finds a word however it is written."""
    off = set(session.scalars(select(BuiltInWordOff.key)))
    wanted = fold(search)
    if search.strip() and not wanted:
        return []
    found = []
    for b in shipped.built_in():
        if (category and b.category != category) or (language and b.language != language):
            continue
        if wanted and wanted not in fold(b.key):
            continue
        category_off = shipped.CATEGORY_KEY + b.category in off
        on = not category_off and b.key not in off
        if enabled is None or on is enabled:
            found.append(Shown(b.key, b.category, b.language, on, category_off))
    return found


def categories(session: Session) -> list[CategoryCount]:
    """All categories in their order, the enterprise's own last."""
    off = set(session.scalars(select(BuiltInWordOff.key)))
    built = Counter(b.category for b in shipped.built_in())
    single = Counter(b.category for b in shipped.built_in() if b.key in off)
    own = Counter(session.scalars(select(SensitiveWord.category)))
    return [
        CategoryCount(c, built[c], single[c], own[c], shipped.CATEGORY_KEY + c not in off)
        for c in (*shipped.CATEGORIES, shipped.OWN)
    ]
