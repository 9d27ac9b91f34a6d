"""The receipt of a credited top-up, as PDF."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from smsgateway.purse import money
from smsgateway.purse.words import word

# Letters come with the document; Chinese and Korean, whatever the receipt's language, are shown by fonts that every PDF
# viewer has by itself, whose Latin letters are poor and without most accents.
_LATIN, _CHINESE, _KOREAN = "Vera", "STSong-Light", "HYSMyeongJo-Medium"
_WORDS = re.compile(r"[^\s\u1100-\u11ff\u2e80-\uffff]+\s*|.")  # what a line is not broken within
_LEFT, _VALUES, _RIGHT = 25 * mm, 70 * mm, 185 * mm
_LINE = 9 * mm
_SIZE = 10.5


@dataclass(frozen=True)
class Receipt:
    """What stands on it."""

    number: str
    enterprise: str
    kind: str
    amount_minor: int
    currency: str
    provider: str
    ref: str
    ordered_at: datetime
    paid_at: datetime
    ordered_by: str
    note: str


def pdf(receipt: Receipt, locale: str, time_zone: str) -> bytes:
    """One page in the language of `locale` (en, zh-CN), times in `time_zone`."""
    _register()
    out = io.BytesIO()
    page = Canvas(out, pagesize=A4)
    page.setTitle(f"{word(locale, 'receipt')} {receipt.number}")
    page.setAuthor(receipt.enterprise)
    y = A4[1] - 40 * mm
    _draw(page, _LEFT, y, word(locale, "receipt"), 22)
    total = f"{receipt.currency} {_grouped(receipt.amount_minor, receipt.currency)}"
    _draw(page, _RIGHT - _width(total, 16), y, total, 16)
    y -= 6 * mm
    page.setLineWidth(0.5)
    page.line(_LEFT, y, _RIGHT, y)
    for key, value in _lines(receipt, locale, time_zone):
        parts = _wrapped(value, _RIGHT - _VALUES)
        y -= _LINE
        page.setFillGray(0.4)
        _draw(page, _LEFT, y, word(locale, key))
        page.setFillGray(0)
        for i, part in enumerate(parts):
            y -= 5.5 * mm if i else 0
            _draw(page, _VALUES, y, part)
    y -= _LINE
    page.line(_LEFT, y, _RIGHT, y)
    page.setFillGray(0.4)
    _draw(page, _LEFT, y - 6 * mm, word(locale, "receipt_note"), 8)
    page.save()
    return out.getvalue()


def _lines(receipt: Receipt, locale: str, time_zone: str) -> list[tuple[str, str]]:
    zone = ZoneInfo(time_zone)
    lines = [
        ("number", receipt.number),
        ("enterprise", receipt.enterprise),
        ("kind", word(locale, receipt.kind)),
        ("amount", f"{receipt.currency} {_grouped(receipt.amount_minor, receipt.currency)}"),
        ("provider", word(locale, receipt.provider)),
        ("ref", receipt.ref),
        ("ordered_at", f"{receipt.ordered_at.astimezone(zone):%Y-%m-%d %H:%M}"),
        ("ordered_by", receipt.ordered_by),
        ("paid_at", f"{receipt.paid_at.astimezone(zone):%Y-%m-%d %H:%M} ({time_zone})"),
        ("note", receipt.note),
    ]
    return [(key, value) for key, value in lines if value]


def _grouped(amount_minor: int, currency: str) -> str:
    whole, point, fraction = money.plain(amount_minor, currency).partition(".")
    return f"{int(whole):,}{point}{fraction}"


def _register() -> None:
    if _CHINESE not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(_LATIN, "Vera.ttf"))
        for name in (_KOREAN, _CHINESE):
            pdfmetrics.registerFont(UnicodeCIDFont(name))


def _font(letter: str) -> str:
    """The font that has `letter`."""
    if "\uac00" <= letter <= "\ud7a3":
        return _KOREAN
    return _LATIN if ord(letter) in pdfmetrics.getFont(_LATIN).face.charToGlyph else _CHINESE


def _runs(value: str) -> Iterator[tuple[str, str]]:
    """(font, letters) from left to right."""
    for font, letters in groupby(value, _font):
        yield font, "".join(letters)


def _width(value: str, size: float = _SIZE) -> float:
    return sum(float(pdfmetrics.stringWidth(letters, font, size)) for font, letters in _runs(value))


def _draw(page: Canvas, x: float, y: float, value: str, size: float = _SIZE) -> None:
    for font, letters in _runs(value):
        page.setFont(font, size)
        page.drawString(x, y, letters)
        x += pdfmetrics.stringWidth(letters, font, size)


def _wrapped(value: str, width: float) -> list[str]:
    """`value` in lines that fit, broken between words and Chinese characters, and within what is too long for one."""
    lines, line = [], ""
    for piece in _WORDS.findall(" ".join(value.split())):
        for part in [piece] if _width(piece.rstrip()) <= width else piece:
            if line and _width(line + part.rstrip()) > width:
                lines.append(line.rstrip())
                line = ""
            line += part if line else part.lstrip()
    return [*lines, line.rstrip()]
