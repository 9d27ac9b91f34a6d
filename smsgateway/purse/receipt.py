"""The receipt of a credited top-up, as PDF."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from smsgateway.purse import money
from smsgateway.purse.words import word

# A font that every PDF viewer has by itself: it shows Chinese in names, whatever the receipt's language.
_FONT = "STSong-Light"
_LEFT, _VALUES, _RIGHT = 25 * mm, 70 * mm, 185 * mm
_LINE = 9 * mm


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
    if _FONT not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(UnicodeCIDFont(_FONT))
    out = io.BytesIO()
    page = Canvas(out, pagesize=A4)
    page.setTitle(f"{word(locale, 'receipt')} {receipt.number}")
    page.setAuthor(receipt.enterprise)
    y = A4[1] - 40 * mm
    page.setFont(_FONT, 22)
    page.drawString(_LEFT, y, word(locale, "receipt"))
    page.setFont(_FONT, 16)
    page.drawRightString(_RIGHT, y, f"{receipt.currency} {_grouped(receipt.amount_minor, receipt.currency)}")
    y -= 6 * mm
    page.setLineWidth(0.5)
    page.line(_LEFT, y, _RIGHT, y)
    for key, value in _lines(receipt, locale, time_zone):
        parts = _wrapped(value, _RIGHT - _VALUES)
        y -= _LINE
        page.setFont(_FONT, 11)
        page.setFillGray(0.4)
        page.drawString(_LEFT, y, word(locale, key))
        page.setFillGray(0)
        for i, part in enumerate(parts):
            y -= 5.5 * mm if i else 0
            page.drawString(_VALUES, y, part)
    y -= _LINE
    page.line(_LEFT, y, _RIGHT, y)
    page.setFont(_FONT, 9)
    page.setFillGray(0.4)
    page.drawString(_LEFT, y - 6 * mm, word(locale, "receipt_note"))
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


def _wrapped(value: str, width: float) -> list[str]:
    """`value` in lines that fit; Chinese has no spaces to break at, so it breaks anywhere."""
    lines, line = [], ""
    for letter in " ".join(value.split()):
        if line and pdfmetrics.stringWidth(line + letter, _FONT, 11) > width:
            lines.append(line)
            line = ""
        line += letter
    return [*lines, line]
