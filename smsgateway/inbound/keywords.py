"""Words by which a person says "no more of these" or "yes, again", in many languages. Pure.

A text is compared as people write it: letter case, full-width forms, accents, zero-width characters, spaces,
punctuation and emoji do not matter, and an echoed instruction ("reply TD to unsubscribe", 回复TD退订) is its word.

- The whole text is a keyword: it always counts.
- The first word is one of the plain ones (STOP, UNSUBSCRIBE, 退订 …): it counts if the carrier's rule says so
  (`first_word`), as "STOP please" and "退订谢谢" do. Words with another meaning (T, R, N, END, CANCEL, 取消 …) never
  count by that alone: "End of May suits me" is an answer.

English words are those of the CTIA's messaging principles and of 47 CFR 64.1200(a)(10); Chinese ones are what senders
and operators print under their texts (回T退订, 拒收请回复R, 0000); the others are the like words of those languages.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final


class Wish(StrEnum):
    """What a keyword asks for."""

    OUT = "opt_out"
    IN = "opt_in"


@dataclass(frozen=True, slots=True)
class Recognised:
    """`keyword` as it stands in the list."""

    wish: Wish
    keyword: str


# Language → words that count as the whole text only.
_OUT_WHOLE: Final[Mapping[str, tuple[str, ...]]] = {
    "zh": (
        "T",
        "TD",
        "R",
        "N",
        "QX",
        "0000",
        "00000",
        "取消",
        "拒绝",
        "拒絕",
        "不需要",
        "别发了",
        "別發了",
        "勿扰",
        "勿擾",
    ),
    "en": ("END", "QUIT", "CANCEL", "REVOKE", "REMOVE", "NO MORE", "LEAVE ME ALONE"),
    "es": ("ALTO", "PARAR", "CANCELAR", "FIN"),
    "fr": ("FIN", "ANNULER"),
    "de": ("ENDE", "ABBRECHEN"),
    "pt": ("PARAR", "CANCELAR", "SAIR"),
    "it": ("BASTA", "FINE", "ANNULLA"),
    "nl": ("UIT",),
    "sv": ("SLUTA", "AVBRYT"),
    "pl": ("KONIEC",),
    "tr": ("RET", "IPTAL", "DUR"),
    "id": ("BERHENTI", "BATAL"),
    "vi": ("HUY", "TU CHOI", "TC"),
    "ru": ("ОТМЕНА",),
    "ja": ("解除", "中止"),
    "ko": ("거부", "중지", "취소"),
    "ar": ("إلغاء", "قف", "توقف"),
    "th": ("ยกเลิก",),
}
# Words that mean nothing else: they count as the first word too.
_OUT_PLAIN: Final[Mapping[str, tuple[str, ...]]] = {
    "zh": ("退订", "退訂", "拒收"),
    "en": ("STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "UNSUB", "OPTOUT", "OPT OUT"),
    "es": ("BAJA", "DARME DE BAJA", "DAR DE BAJA"),
    "fr": ("ARRET", "ARRETER", "DESABONNER", "DESABONNEMENT"),
    "de": ("STOPP", "ABMELDEN", "ABBESTELLEN"),
    "pt": ("DESCADASTRAR",),
    "it": ("DISISCRIVIMI", "CANCELLAMI"),
    "nl": ("AFMELDEN", "STOPPEN"),
    "sv": ("AVREGISTRERA", "STOPPA"),
    "pl": ("WYPISZ", "REZYGNUJE"),
    "tr": ("ABONELIKTEN CIK",),
    "ru": ("СТОП", "ОТПИСАТЬСЯ", "ОТПИСКА"),
    "ja": ("配信停止", "停止"),
    "ko": ("수신거부",),
}
_IN_WHOLE: Final[Mapping[str, tuple[str, ...]]] = {
    "zh": ("开通", "開通", "订阅", "訂閱", "恢复", "恢復", "恢复订阅", "恢復訂閱", "重新订阅", "KT", "DY"),
    "en": ("START", "UNSTOP", "SUBSCRIBE", "RESUBSCRIBE", "OPTIN", "OPT IN", "RESUME"),
    "es": ("ALTA", "INICIAR"),
    "fr": ("REPRISE", "ABONNER"),
    "de": ("STARTEN", "ANMELDEN"),
    "pt": ("INICIAR", "ATIVAR"),
    "it": ("ISCRIVIMI",),
    "nl": ("AANMELDEN",),
    "ru": ("СТАРТ", "ПОДПИСАТЬСЯ"),
    "ja": ("再開", "購読"),
    "ko": ("수신동의",),
}
MOST_OWN: Final = 50  # keywords of an enterprise's own
LONGEST: Final = 40  # characters of a keyword
_LOOKED_AT: Final = 400  # characters of a text; keywords stand at its beginning, or are all of it
_ECHO: Final = re.compile(r"^(?:回复|回復|回覆|回|请回复|請回覆|发送|發送|reply|send|text)")
_ECHO_END: Final = re.compile(r"(?:退订|退訂|tounsubscribe|tooptout|tostop)$")
# Turkish İ folds to i and a dot of its own, which goes with the accents; ß becomes ss by casefold.
_UNSEEN: Final = frozenset({"Mn", "Me", "Cf", "Cc"})


@lru_cache(maxsize=4096)
def squeezed(text: str) -> str:
    """`text` as keywords are compared: letters and digits only, folded."""
    return "".join(c for c in _folded(text) if c.isalnum())


def _folded(text: str) -> str:
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFC", "".join(c for c in text if unicodedata.category(c) not in _UNSEEN))


def _table(words: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {squeezed(word): word for group in words.values() for word in group}


_OUT: Final = _table(_OUT_WHOLE) | _table(_OUT_PLAIN)
_FIRST: Final = _table(_OUT_PLAIN)
_IN: Final = _table(_IN_WHOLE)
BUILT_IN_OUT: Final[tuple[str, ...]] = tuple(dict.fromkeys(_OUT.values()))
BUILT_IN_IN: Final[tuple[str, ...]] = tuple(dict.fromkeys(_IN.values()))
_CJK: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


class Keywords:
    """The keywords of one enterprise: the built-in ones but for those in `off`, and its own."""

    def __init__(
        self,
        own_out: Iterable[str] = (),
        own_in: Iterable[str] = (),
        off: Iterable[str] = (),
        *,
        first_word: bool = True,
    ) -> None:
        gone = {squeezed(w) for w in off}
        self._out = {k: w for k, w in _OUT.items() if k not in gone} | {squeezed(w): w for w in own_out if squeezed(w)}
        self._in = {k: w for k, w in _IN.items() if k not in gone} | {squeezed(w): w for w in own_in if squeezed(w)}
        self._first = {k: w for k, w in _FIRST.items() if k not in gone} if first_word else {}
        # Chinese, Japanese and Korean write no spaces: the first word is what the text begins with.
        self._begins = sorted((k for k in self._first if _CJK.search(k)), key=len, reverse=True)

    def recognise(self, body: str) -> Recognised | None:
        """The wish in `body`, if it is one. Of two meanings the wish for no more wins."""
        body = body[:_LOOKED_AT]
        whole = squeezed(body)
        if not whole:
            return None
        bare = _ECHO_END.sub("", _ECHO.sub("", whole))
        for form in (whole, bare):
            if form in self._out:
                return Recognised(Wish.OUT, self._out[form])
        if whole in self._in:
            return Recognised(Wish.IN, self._in[whole])
        first = _first_word(body)
        if first in self._first:
            return Recognised(Wish.OUT, self._first[first])
        for word in self._begins:
            if whole.startswith(word):
                return Recognised(Wish.OUT, self._first[word])
        return None


def _first_word(body: str) -> str:
    word: list[str] = []
    for c in _folded(body):
        if c.isalnum():
            word.append(c)
        elif word:
            break
    return "".join(word)


BUILT_IN: Final = Keywords()


class Match(StrEnum):
    """How an automatic answer's words are looked for."""

    WHOLE = "whole"  # the text is the word
    STARTS = "starts"
    CONTAINS = "contains"


def matched(match: Match, words: Iterable[str], body: str) -> str | None:
    """The first of `words` that `body` has, as `match` says. Words of scripts with spaces match as whole words, those
    of Chinese, Japanese and Korean anywhere."""
    body = body[:_LOOKED_AT]
    whole, spaced = squeezed(body), _spaced(body)
    for word in words:
        form = squeezed(word)
        if not form:
            continue
        if match is Match.WHOLE:
            hit = whole == form
        elif _CJK.search(form):
            hit = whole.startswith(form) if match is Match.STARTS else form in whole
        else:
            inner = _spaced(word)
            hit = spaced.startswith(inner) if match is Match.STARTS else inner in spaced
        if hit:
            return word
    return None


def _spaced(text: str) -> str:
    """The words of `text` with one space between and around them."""
    return " " + " ".join("".join(c if c.isalnum() else " " for c in _folded(text)).split()) + " "
