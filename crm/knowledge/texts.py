"""What searching compares, and what a list shows of a body. Pure.

A text is cut into words. A word of letters is found by its beginning ("refu" finds "refunds"). Chinese is written
without blanks, so a run of it counts as its characters and its pairs of neighbours: "退款" is found in "如何退款", and
"退款政策" where 退款, 款政 and 政策 all stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from crm.addressbook.texts import folded

MAX_WORD = 60  # longer ones are cut, here and in what is asked for
MAX_ASKED = 12  # pieces of a search
EXCERPT = 110
_HAN = "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_PIECE = re.compile(rf"[{_HAN}\U00020000-\U0003134f]+|[^\W_{_HAN}\U00020000-\U0003134f]+")
_IS_HAN = re.compile(rf"[{_HAN}\U00020000-\U0003134f]")
_LINK = re.compile(r"\[([^\]\n]+)\]\(([^)\s]+)\)")
_MARKS = re.compile(r"^\s{0,3}(?:#{1,6}\s+|>\s?|[-*+]\s+|\d{1,3}[.)]\s+|-{3,}\s*$)", re.MULTILINE)


def plain(body: str) -> str:
    """`body` without its marks, on one line: links by their words."""
    text = _MARKS.sub("", _LINK.sub(r"\1", body)).replace("**", "").replace("`", "")
    return " ".join(text.split())


def lexemes(*texts: str) -> list[str]:
    """The words of `texts`, each once: what an article is found by."""
    return sorted({word for text in texts for piece in _pieces(text) for word in _words_of(piece)})


def enterprise_word(tenant: int) -> str:
    """The word that all articles of an enterprise have, and none of its texts: words hold no colon."""
    return f"enterprise:{tenant}"


def query(search: str) -> str:
    """`search` as a tsquery: all of its words, the last letters of a word left open. Empty if nothing is asked for."""
    asked: dict[str, None] = {}
    for piece in _pieces(search):
        if not _IS_HAN.match(piece):
            asked[f"'{piece[:MAX_WORD]}':*"] = None
        elif len(piece) == 1:
            asked[f"'{piece}'"] = None
        else:
            asked.update(dict.fromkeys(f"'{pair}'" for pair in _pairs(piece)))
    return " & ".join(list(asked)[:MAX_ASKED])


def excerpt(body: str, search: str) -> str:
    """The part of `body` in which the first word of `search` stands, or its beginning; about EXCERPT characters."""
    text = plain(body)
    low = text.casefold()
    places = [low.find(piece) for piece in _pieces(search)] if len(low) == len(text) else []
    at = min((p for p in places if p >= 0), default=0)
    begin = 0 if at < EXCERPT // 2 else at - EXCERPT // 3
    end = begin + EXCERPT
    return ("… " if begin else "") + text[begin:end].strip() + (" …" if end < len(text) else "")


def _pieces(text: str) -> list[str]:
    return _PIECE.findall(folded(text))


def _words_of(piece: str) -> Iterable[str]:
    if not _IS_HAN.match(piece):
        return (piece[:MAX_WORD],)
    return (*piece, *_pairs(piece))


def _pairs(piece: str) -> Iterator[str]:
    return (piece[i : i + 2] for i in range(len(piece) - 1))
