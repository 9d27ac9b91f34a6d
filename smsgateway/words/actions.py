"""Changes of an enterprise's words: its own, its allowed phrases, and which built-in ones are on.

A built-in word can't be changed or deleted, only switched off, alone or with its category. Every change is told as
entity "words".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.db.outbox import settings_changed
from callcenter.errors import Conflict, InvalidInput, NotFound
from smsgateway.models import BuiltInWordOff, SensitiveWord, WordException
from smsgateway.words import shipped
from smsgateway.words.normalise import fold

MAX_LENGTH: Final = 60
SHORTEST: Final = 2  # letters or digits; one alone would stop nearly every text
MOST_OWN: Final = 20_000
MOST_PHRASES: Final = 5_000
MAX_WRONG_SHOWN: Final = 50
_BATCH: Final = 5_000
_SHOWN: Final = 1_000  # in an audit entry


@dataclass(frozen=True)
class Added:
    """What became of what was given. `wrong`: the first ones that can't be added, with the reason's code: `too_short`,
    `too_long`, `built_in` (the built-in list has it, switched on)."""

    added: int
    already: int
    rejected: int
    wrong: tuple[tuple[str, str], ...]


def tidy(text: str) -> str:
    """`text` as it is stored: composed, inner spaces single, nothing around it."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _fault(word: str) -> str | None:
    if len(word) > MAX_LENGTH:
        return "too_long"
    return "too_short" if len(fold(word)) < SHORTEST else None


def _sort(texts: Iterable[str], off: set[str] | None) -> tuple[list[str], int, list[tuple[str, str]]]:
    """(good ones, each once; how many are wrong; the first of these). `off` given: built-in words that are on are
    wrong too."""
    good: dict[str, str] = {}
    wrong: list[tuple[str, str]] = []
    rejected = 0
    for text in texts:
        word = tidy(text)
        if not word:
            continue
        folded = fold(word)
        fault = _fault(word)
        known = shipped.by_folded().get(folded) if off is not None else None
        if fault is None and known is not None and not _is_off(known, off or set()):
            fault = "built_in"
        if fault is None:
            good.setdefault(folded, word)
            continue
        rejected += 1
        if len(wrong) < MAX_WRONG_SHOWN:
            wrong.append((word[:MAX_LENGTH], fault))
    return list(good.values()), rejected, wrong


def _is_off(known: shipped.BuiltIn, off: set[str]) -> bool:
    return known.key in off or shipped.CATEGORY_KEY + known.category in off


def _off(session: Session) -> set[str]:
    return set(session.scalars(select(BuiltInWordOff.key)))


def add_words(
    session: Session, actor: Actor, words: Sequence[str], category: str = shipped.OWN, *, enabled: bool = True
) -> Added:
    """Add to the enterprise's own words; one that is there and disabled is enabled. Wrong ones are left out and told.

    Raises InvalidInput if there is none to add, or if they would be more than `MOST_OWN`.
    """
    good, rejected, wrong = _sort(words, _off(session))
    if not good and not rejected:
        raise InvalidInput("There is no word to add.", fields={"words": "Give at least one word."})
    _room(session, SensitiveWord, len(good), MOST_OWN, "words")
    added = 0
    for at in range(0, len(good), _BATCH):
        rows = [
            {
                "tenant_id": actor.tenant_id,
                "word": w,
                "category": category,
                "enabled": enabled,
                "created_by": actor.user_id,
            }
            for w in good[at : at + _BATCH]
        ]
        statement = insert(SensitiveWord).values(rows)
        statement = statement.on_conflict_do_update(
            index_elements=["tenant_id", "word"],
            set_={"enabled": True, "updated_at": func.now()},
            where=SensitiveWord.enabled.is_(False) & statement.excluded.enabled,
        )
        added += len(session.scalars(statement.returning(SensitiveWord.id)).all())
    if added:
        _trace(session, actor, "create", good, {"category": category})
    return Added(added, len(good) - added, rejected, tuple(wrong))


def own_word(session: Session, word_id: int) -> SensitiveWord:
    """A word of the enterprise's own. Raises NotFound."""
    row = session.get(SensitiveWord, word_id)
    if row is None:
        raise NotFound("There is no such word.")
    return row


def edit_word(session: Session, actor: Actor, word_id: int, *, word: str | None, category: str | None) -> SensitiveWord:
    """Change a word of the enterprise's own. Raises NotFound, InvalidInput, Conflict (it is there already)."""
    row = own_word(session, word_id)
    before = {"word": row.word, "category": row.category}
    if word is not None:
        word = tidy(word)
        fault = _fault(word)
        if fault is not None:
            raise InvalidInput("The word can't be searched for.", fields={"word": FAULTS[fault]})
        twin = select(SensitiveWord.id).where(SensitiveWord.word == word, SensitiveWord.id != word_id)
        if session.scalar(twin) is not None:
            raise Conflict("This word is on the list already.", code="word_exists", fields={"word": FAULTS["exists"]})
        row.word = word
    if category is not None:
        row.category = category
    row.updated_at = func.now()
    session.flush()
    session.refresh(row)
    after = {"word": row.word, "category": row.category}
    record(session, actor, "update", "word", row.id, name=row.word, before=before, after=after)
    settings_changed(session, "words", 0)
    return row


def enable_words(session: Session, actor: Actor, word_ids: Sequence[int], enabled: bool) -> int:
    """Enable or disable own words; returns how many changed."""
    statement = (
        update(SensitiveWord)
        .where(SensitiveWord.id.in_(word_ids), SensitiveWord.enabled.is_not(enabled))
        .values(enabled=enabled, updated_at=func.now())
        .returning(SensitiveWord.word)
    )
    words = list(session.scalars(statement))
    _trace(session, actor, "enable" if enabled else "disable", words)
    return len(words)


def remove_words(session: Session, actor: Actor, word_ids: Sequence[int]) -> int:
    """Delete own words; returns how many there were."""
    statement = delete(SensitiveWord).where(SensitiveWord.id.in_(word_ids)).returning(SensitiveWord.word)
    words = list(session.scalars(statement))
    _trace(session, actor, "delete", words)
    return len(words)


def add_phrases(session: Session, actor: Actor, phrases: Sequence[str]) -> Added:
    """Add phrases in which no word is sensitive. Raises as `add_words`."""
    good, rejected, wrong = _sort(phrases, None)
    if not good and not rejected:
        raise InvalidInput("There is no phrase to add.", fields={"phrases": "Give at least one phrase."})
    _room(session, WordException, len(good), MOST_PHRASES, "phrases")
    added = 0
    if good:
        rows = [{"tenant_id": actor.tenant_id, "phrase": p, "created_by": actor.user_id} for p in good]
        statement = insert(WordException).values(rows).on_conflict_do_nothing()
        added = len(session.scalars(statement.returning(WordException.id)).all())
    if added:
        _trace(session, actor, "create", good, entity="word_exception")
    return Added(added, len(good) - added, rejected, tuple(wrong))


def remove_phrases(session: Session, actor: Actor, phrase_ids: Sequence[int]) -> int:
    """Delete phrases; returns how many there were."""
    statement = delete(WordException).where(WordException.id.in_(phrase_ids)).returning(WordException.phrase)
    phrases = list(session.scalars(statement))
    _trace(session, actor, "delete", phrases, entity="word_exception")
    return len(phrases)


def switch_built_in(session: Session, actor: Actor, keys: Sequence[str], enabled: bool) -> int:
    """Switch built-in words on or off, one by one; returns how many changed. Raises NotFound for one there is not."""
    unknown = [k for k in keys if k not in shipped.all_keys()]
    if unknown:
        raise NotFound("There is no such built-in word.", params={"key": unknown[0][:MAX_LENGTH]})
    return _switch(session, actor, list(dict.fromkeys(keys)), enabled)


def switch_category(session: Session, actor: Actor, category: str, enabled: bool) -> int:
    """Switch a whole category of built-in words on or off; what was switched off one by one stays as it was."""
    if category not in shipped.CATEGORIES:
        raise NotFound("There is no such category.")
    return _switch(session, actor, [shipped.CATEGORY_KEY + category], enabled)


def _switch(session: Session, actor: Actor, keys: list[str], enabled: bool) -> int:
    if enabled:
        gone = delete(BuiltInWordOff).where(BuiltInWordOff.key.in_(keys)).returning(BuiltInWordOff.key)
        done = list(session.scalars(gone))
    else:
        rows = [{"tenant_id": actor.tenant_id, "key": k} for k in keys]
        statement = insert(BuiltInWordOff).values(rows).on_conflict_do_nothing().returning(BuiltInWordOff.key)
        done = list(session.scalars(statement)) if rows else []
    _trace(session, actor, "enable" if enabled else "disable", done, entity="built_in_word")
    return len(done)


FAULTS: Final = {
    "too_short": "Give at least two letters or digits.",
    "too_long": f"A word can have at most {MAX_LENGTH} characters.",
    "exists": "This word is on the list already.",
}


def _room(session: Session, table: type[SensitiveWord] | type[WordException], more: int, most: int, field: str) -> None:
    there = session.scalar(select(func.count()).select_from(table)) or 0
    if there + more > most:
        raise InvalidInput(
            f"There can be {most:,} at most.",
            code="too_many_words",
            fields={field: f"There are {there:,}; {most:,} at most. Delete some first."},
            params={"there": there, "most": most},
        )


def _trace(
    session: Session,
    actor: Actor,
    action: str,
    words: Sequence[str],
    more: dict[str, object] | None = None,
    entity: str = "word",
) -> None:
    if not words:
        return
    what: dict[str, object] = {**(more or {}), "words": list(words[:_SHOWN])}
    if len(words) > _SHOWN:
        what["how_many"] = len(words)
    gone = action == "delete"
    name = ", ".join(words[:5])
    record(session, actor, action, entity, 0, name=name, before=what if gone else None, after=None if gone else what)
    settings_changed(session, "words", 0)
