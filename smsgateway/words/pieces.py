"""A text cut at its hits, for pages that mark them. Pure.

Pieces rather than positions, since browsers count UTF-16 units and Python counts code points.
"""

from __future__ import annotations

from collections.abc import Sequence

from smsgateway.words.hits import Hit

Piece = dict[str, str | bool]


def marked(text: str, hits: Sequence[Hit]) -> list[Piece]:
    """`text` as {"text"} and {"text", "word", "category", "contiguous"} in turn; joined, their texts are `text`.

    Of hits that overlap, one that blocks goes before one that does not, and else the earlier; the other marks what is
    left of it.
    """
    owner: list[Hit | None] = [None] * len(text)
    for hit in sorted(hits, key=lambda h: (not h.contiguous, h.start)):
        for at in range(hit.start, hit.end):
            owner[at] = owner[at] or hit
    pieces: list[Piece] = []
    start = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or owner[at] is not owner[start]:
            piece: Piece = {"text": text[start:at]}
            hit_here = owner[start]
            if hit_here is not None:
                piece |= {"word": hit_here.word, "category": hit_here.category, "contiguous": hit_here.contiguous}
            pieces.append(piece)
            start = at
    return pieces
