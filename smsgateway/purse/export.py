"""Tables as files, row by row: CSV with a byte order mark, or XLSX. Memory does not grow with the rows."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from typing import Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from crm.addressbook.sheet import defused
from smsgateway.purse import money

Cell = str | int | Decimal
FORMATS: Final = ("csv", "xlsx")
TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_CHUNK_BYTES: Final = 64 * 1024


def amount(amount_minor: int, currency: str) -> Decimal:
    """A cell that spreadsheets can add up, exact."""
    return Decimal(money.plain(amount_minor, currency))


def chunks(form: str, title: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """The file of format `form`, in pieces."""
    return _csv(header, rows) if form == "csv" else _xlsx(title, header, rows)


def _csv(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    out = io.StringIO()
    writer = csv.writer(out)
    out.write("\ufeff")
    for row in chain([header], rows):
        writer.writerow([defused(c) if isinstance(c, str) else str(c) for c in row])
        if out.tell() >= _CHUNK_BYTES:
            yield out.getvalue().encode()
            out.seek(0)
            out.truncate()
    yield out.getvalue().encode()


def _xlsx(title: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    for i in range(len(header)):
        sheet.column_dimensions[chr(ord("A") + i)].width = 20
    for row in chain([header], rows):
        cells = []
        for value in row:
            if isinstance(value, str):
                cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value))
                cell.data_type = "s"  # a text that begins with = would be taken for a formula
            else:
                cell = WriteOnlyCell(sheet, value)
                if isinstance(value, Decimal):
                    cell.number_format = "#,##0.00" if value.as_tuple().exponent == -2 else "#,##0.###"
            cells.append(cell)
        sheet.append(cells)
    with tempfile.TemporaryFile() as file:
        book.save(file)
        file.seek(0)
        while piece := file.read(_CHUNK_BYTES):
            yield piece
