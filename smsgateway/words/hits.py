"""What the search for sensitive words finds. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hit:
    """A sensitive word in a text. `start` and `end` are positions (code points) in the text as it was written.

    `contiguous`: the word stands there as one piece, however its letters are written; such a hit blocks. A hit that
    shows only when spaces, punctuation or digits in place of letters are seen through goes to approval.
    """

    word: str
    category: str
    start: int
    end: int
    contiguous: bool
