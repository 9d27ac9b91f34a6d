"""Contacts as a table for spreadsheets: CSV with a byte order mark, or XLSX.

A spreadsheet runs a CSV cell that begins with = + - or @ as a formula, whoever wrote it: such a cell gets an apostrophe
in front, which the spreadsheet shows as text and our import takes off again. A phone number stays as it is. In XLSX a
cell says by itself that it is text.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font

from crm.addressbook.contacts import birthday_of
from crm.addressbook.models import Contact, PhoneLabel

FORMATS: Final = ("csv", "xlsx")
HEADER: Final[dict[str, tuple[str, ...]]] = {
    "en": (
        "Name", "Mobile phone", "Work phone", "Home phone", "Other phone", "Company", "Title", "E-mail", "Birthday",
        "Groups", "Tags", "Note",
    ),
    "zh-CN": (
        "姓名", "手机", "办公电话", "家庭电话", "其他电话", "公司", "职务", "邮箱", "生日", "分组", "标签", "备注",
    ),
}  # fmt: skip
_NUMBER = re.compile(r"\+\d{5,15}")
_WIDTHS: Final = (18, 18, 18, 18, 18, 24, 16, 26, 12, 30, 20, 40)


def row_of(contact: Contact, phones: Sequence[str], groups: Sequence[str]) -> list[str]:
    """The cells of a contact; `phones` as the user may see them, beside its labels; `groups` as paths."""
    by_label = dict.fromkeys(PhoneLabel, "")
    for phone, label in zip(phones, contact.labels, strict=False):
        before = by_label[PhoneLabel(label)]
        by_label[PhoneLabel(label)] = f"{before};{phone}" if before else phone
    return [
        contact.name, *by_label.values(), contact.company, contact.title, contact.email, birthday_of(contact),
        ";".join(groups), ",".join(contact.tags), contact.note,
    ]  # fmt: skip


def defused(cell: str) -> str:
    """`cell` so that no spreadsheet runs it."""
    if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def write_csv(path: Path, locale: str, rows: Iterable[list[str]]) -> None:
    """Write the table; it appears as a whole or not at all."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8-sig", newline="") as f:
        out = csv.writer(f)
        out.writerow(_header(locale))
        out.writerows([defused(c) for c in row] for row in rows)
    part.replace(path)


def write_xlsx(path: Path, locale: str, rows: Iterable[list[str]]) -> None:
    """Write the workbook; it appears as a whole or not at all."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Contacts" if locale == "en" else "通讯录")
    sheet.freeze_panes = "A2"
    for column, width in zip("ABCDEFGHIJKL", _WIDTHS, strict=True):
        sheet.column_dimensions[column].width = width
    sheet.append([_text(sheet, title, bold=True) for title in _header(locale)])
    for row in rows:
        sheet.append([_text(sheet, c) if c[:1] in ("=", "#") else ILLEGAL_CHARACTERS_RE.sub("", c) for c in row])
    part = path.with_suffix(".part")
    book.save(part)
    part.replace(path)


def _text(sheet: Any, text: str, *, bold: bool = False) -> Any:
    """A cell that says it is text: what begins with = would be taken for a formula, with # for an error."""
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", text))
    cell.data_type = "s"
    if bold:
        cell.font = Font(bold=True)
    return cell


def _header(locale: str) -> tuple[str, ...]:
    return HEADER[locale if locale in HEADER else "en"]
