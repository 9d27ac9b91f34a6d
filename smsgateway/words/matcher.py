"""The search for sensitive words in a text. Pure.

The words are folded (`normalise`) and searched all at once (Aho and Corasick) in the folded text, in which nothing but
letters and digits is left: so every way to write a word is found in one pass, and what stood between its letters is
looked at only for what was found.

- Only invisible characters in between, or spaces where the word itself has them: a contiguous hit.
- Anything that can be seen in between ("赌 博", "g.a.m.e"), or digits and signs in place of letters ("c4s1no"): a hit
  that is not contiguous.
- A word of a script that sets words apart must stand between their limits: "class" does not hit "ass"; the plural does.
- A hit inside a phrase that is white-listed is none.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Final

from ahocorasick_rs import AhoCorasick, MatchKind

from smsgateway.words.hits import Hit
from smsgateway.words.normalise import dropped, fold, invisible, positions, spaced

PHRASE: Final = ""  # category of white-listed phrases inside the matcher
_APOSTROPHES: Final = frozenset("'’‘ʼ`´")
_SIGNS: Final = str.maketrans({"@": "a", "$": "s", "|": "l", "€": "e", "＠": "a", "＄": "s", "｜": "l"})
_INNER_EXCLAMATION: Final = re.compile(r"(?<=[a-z0-9])[!！](?=[a-z0-9])", re.IGNORECASE)  # else it ends a sentence
_DIGITS: Final = str.maketrans("0134578l", "oieastbi")  # 1 is i or l, so that these two are one
# A sign or digit beside a Latin letter: only then may it stand for one.
_SUSPECT: Final = re.compile(r"[a-z][0134578@$!|€＠＄！｜]|[0134578@$!|€＠＄！｜][a-z]", re.IGNORECASE)
_LATIN: Final = re.compile(r"[a-z]+(?:[0-9]*[a-z]+)*")
_PLURALS: Final = ("s", "es")
_SHORTEST_PLURAL: Final = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """A word to search for, as people write it, and its category."""

    word: str
    category: str


@dataclass(slots=True)
class _Pattern:
    """`gaps`: places in the folded word at which the word itself has a separator. `head`, `tail`: whether a limit of a
    word must be there."""

    entry: Entry
    folded: str
    gaps: frozenset[int]
    head: bool
    tail: bool


class _Text:
    """A text with what is needed to look at hits, made only if there are some."""

    def __init__(self, text: str, folded: str) -> None:
        self.text = text
        self.folded = folded

    @cached_property
    def at(self) -> list[int]:
        return positions(self.text, self.folded)

    def gaps(self, start: int, end: int) -> frozenset[int]:
        """Places in folded[start:end], from its start, before which something is that readers see."""
        at = self.at
        if at[end - 1] - at[start] == end - 1 - start:
            return _NO_GAPS
        return frozenset(
            n
            for n, (a, b) in enumerate(pairwise(at[start:end]), 1)
            if b - a > 1 and not all(invisible(c) for c in self.text[a + 1 : b])
        )

    def joined(self, index: int) -> bool:
        """Whether folded[index - 1] and folded[index] are letters, or digits, of one word."""
        if index <= 0 or index >= len(self.folded):
            return False
        left, right = self.folded[index - 1], self.folded[index]
        if not ((spaced(left) and spaced(right)) or (left.isdecimal() and right.isdecimal())):
            return False
        between = self.text[self.at[index - 1] + 1 : self.at[index]]
        seen = [c for c in between if not invisible(c)]
        # "don't it" is not the end of one word and the beginning of another
        return not seen or (len(seen) == 1 and seen[0] in _APOSTROPHES)


_NO_GAPS: Final[frozenset[int]] = frozenset()


class Matcher:
    """Searches texts for `entries`, but not inside `phrases`. Building takes about 0.1 s for 20,000 words.

    Words that have no letter or digit can't be searched for and are left out.
    """

    def __init__(self, entries: Iterable[Entry], phrases: Iterable[str] = ()) -> None:
        self._words = _patterns(entries)
        self._phrases = _patterns(Entry(p, PHRASE) for p in phrases)
        self._all = [*self._words, *self._phrases]
        self._find = _automaton(p.folded for p in self._all)

    def __len__(self) -> int:
        return len(self._words)

    @cached_property
    def _disguised(self) -> tuple[list[_Pattern], AhoCorasick | None]:
        # Words of Latin letters, with the letters that a sign can stand for in their common form.
        patterns = [p for p in self._words if _LATIN.fullmatch(p.folded)]
        return patterns, _automaton(p.folded.translate(_DIGITS) for p in patterns)

    def find(self, text: str) -> tuple[Hit, ...]:
        """All hits in `text` in their order; of hits one inside the other, the longest."""
        folded = fold(text)
        found = self._find.find_matches_as_indexes(folded, overlapping=True) if self._find else []
        suspect = _SUSPECT.search(text) is not None
        if not found and not suspect:
            return ()
        hits: list[Hit] = []
        spared: list[tuple[int, int]] = []
        if found:
            read = _Text(text, folded)
            for index, start, end in found:
                self._look(read, self._all[index], start, end, hits, spared)
        if suspect:
            self._see_through(text, hits)
        if spared:
            hits = _outside(hits, spared)
        return _longest(hits) if len(hits) > 1 else tuple(hits)

    def _look(
        self, read: _Text, pattern: _Pattern, start: int, end: int, hits: list[Hit], spared: list[tuple[int, int]]
    ) -> None:
        if pattern.head and read.joined(start):
            return
        if pattern.tail and read.joined(end):
            plural = _plural_end(read, end) if len(pattern.folded) >= _SHORTEST_PLURAL else 0
            if not plural:
                return
            end = plural
        gaps = read.gaps(start, end)
        first, last = read.at[start], read.at[end - 1] + 1
        if pattern.entry.category == PHRASE:
            if gaps == pattern.gaps and _alike(pattern.entry.word, read.text[first:last]):
                spared.append((first, last))
            return
        hits.append(Hit(pattern.entry.word, pattern.entry.category, first, last, gaps <= pattern.gaps))

    def _see_through(self, text: str, hits: list[Hit]) -> None:
        patterns, automaton = self._disguised
        if automaton is None:
            return
        seen = _INNER_EXCLAMATION.sub("i", text).translate(_SIGNS)  # position for position
        plain = fold(seen)
        read = _Text(seen, plain)
        for index, start, end in automaton.find_matches_as_indexes(plain.translate(_DIGITS), overlapping=True):
            if _alphanumeric_neighbour(read, start) or _alphanumeric_neighbour(read, end):
                continue
            first, last = read.at[start], read.at[end - 1] + 1
            letters = sum(spaced(c) for c in fold(text[first:last]))
            if letters == end - start or 2 * letters < end - start:
                continue  # nothing stands for a letter (the main search has looked), or nearly everything would
            entry = patterns[index].entry
            hits.append(Hit(entry.word, entry.category, first, last, contiguous=False))


def _alike(phrase: str, text: str) -> bool:
    """Whether `text` sets its words apart as `phrase` does: where that has only spaces, so must this."""
    return any(dropped(c) and not c.isspace() for c in phrase) or not any(dropped(c) and not c.isspace() for c in text)


def _alphanumeric_neighbour(read: _Text, index: int) -> bool:
    if index <= 0 or index >= len(read.folded):
        return False
    between = read.text[read.at[index - 1] + 1 : read.at[index]]
    return read.folded[index - 1].isascii() and read.folded[index].isascii() and all(invisible(c) for c in between)


def _plural_end(read: _Text, end: int) -> int:
    for plural in _PLURALS:
        after = end + len(plural)
        if read.folded.startswith(plural, end) and not read.joined(after):
            return after
    return 0


def _patterns(entries: Iterable[Entry]) -> list[_Pattern]:
    made: dict[str, _Pattern] = {}
    for entry in entries:
        folded = fold(entry.word)
        if not folded:
            continue
        gaps = _Text(entry.word, folded).gaps(0, len(folded))
        known = made.get(folded)
        if known is not None:
            known.gaps |= gaps
            continue
        head, tail = folded[0], folded[-1]
        made[folded] = _Pattern(entry, folded, gaps, spaced(head) or head.isdecimal(), spaced(tail) or tail.isdecimal())
    return list(made.values())


def _automaton(folded: Iterable[str]) -> AhoCorasick | None:
    patterns = list(folded)
    return AhoCorasick(patterns, matchkind=MatchKind.Standard, store_patterns=False) if patterns else None


def _longest(hits: list[Hit]) -> tuple[Hit, ...]:
    hits.sort(key=lambda h: (h.start, -h.end, not h.contiguous))
    kept: list[Hit] = []
    end = end_contiguous = 0  # of what is kept, all of which begins before the next
    for hit in hits:
        if hit.end <= end_contiguous or (hit.end <= end and not hit.contiguous):
            continue
        kept.append(hit)
        end = max(end, hit.end)
        if hit.contiguous:
            end_contiguous = max(end_contiguous, hit.end)
    return tuple(kept)


def _outside(hits: list[Hit], spans: list[tuple[int, int]]) -> list[Hit]:
    """Those of `hits` that lie inside none of `spans`."""
    spans.sort()
    starts = [start for start, _ in spans]
    furthest = list(accumulate((end for _, end in spans), max))
    out = []
    for hit in hits:
        before = bisect_right(starts, hit.start)
        if not before or furthest[before - 1] < hit.end:
            out.append(hit)
    return out
