"""A file as batches of rows, in bounded memory whatever is in it.

Text is read in chunks. A chunk without quotes goes through `csv` as a whole; one with quotes is read record by record,
and a quote that is never closed costs its own line only, not the rest of the file. Broken characters, NULs and endless
lines make one bad row each. Rows are numbered from 1 as a spreadsheet would number them.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callcenter.errors import InvalidInput
from crm.importing.plan import Plan
from crm.importing.sniff import FileKind

CHUNK_BYTES = 512 * 1024
MAX_LINE_CHARS = 64 * 1024
MAX_RECORD_LINES = 60
_WORKBOOK_BATCH = 5000


@dataclass(frozen=True)
class Batch:
    """Rows `first_no`, `first_no` + 1 …; `bad` maps an index in `rows` to the reason (that row holds the raw text).
    `done_bytes` is how far the file is read."""

    first_no: int
    rows: list[list[str]]
    done_bytes: int
    bad: dict[int, str] = field(default_factory=dict)


def read_rows(path: Path, kind: FileKind, plan: Plan) -> Iterator[Batch]:
    """The rows of the file as `plan` says to read it, header included. Raises InvalidInput for a bad workbook."""
    return _workbook(path, plan.sheet) if kind is FileKind.WORKBOOK else _text(path, plan.encoding, plan.delimiter)


def _text(path: Path, encoding: str, delimiter: str) -> Iterator[Batch]:
    csv.field_size_limit(MAX_LINE_CHARS * 4)
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)("replace"), translate=True)
    number, done, waiting, first = 1, 0, "", True
    with path.open("rb") as f:
        while True:
            raw = f.read(CHUNK_BYTES)
            final = not raw
            done += len(raw)
            text = waiting + decoder.decode(raw, final)
            if first:
                text, first = text.removeprefix("\ufeff"), False
            if final:
                chunk, waiting = text, ""
            else:
                cut = text.rfind("\n") + 1
                chunk, waiting = text[:cut], text[cut:]
                if len(waiting) > MAX_LINE_CHARS and not cut:
                    # An endless line: what is there becomes one (bad) row, the rest of it the next.
                    chunk, waiting = waiting, ""
            if chunk:
                batch, rest = _records(chunk, delimiter, number, done, final)
                waiting = rest + waiting
                if batch.rows:
                    number += len(batch.rows)
                    yield batch
            if final:
                return


def _records(chunk: str, delimiter: str, number: int, done: int, final: bool) -> tuple[Batch, str]:
    """The records of `chunk` and the text of a last record that is not complete yet."""
    lines = chunk.split("\n")
    if not lines[-1]:
        lines.pop()
    whole = "\0" not in chunk and "\ufffd" not in chunk and (len(chunk) <= MAX_LINE_CHARS or _short(lines))
    if whole and '"' not in chunk:
        return Batch(number, list(csv.reader(lines, delimiter=delimiter)), done), ""
    rows: list[list[str]] = []
    bad: dict[int, str] = {}
    at = 0
    while at < len(lines):
        row, reason, used = _record(lines, at, delimiter, final)
        if used == 0:
            return Batch(number, rows, done, bad), "\n".join(lines[at:]) + "\n"
        if reason:
            bad[len(rows)] = reason
        rows.append(row)
        at += used
    return Batch(number, rows, done, bad), ""


def _short(lines: list[str]) -> bool:
    return max(map(len, lines), default=0) <= MAX_LINE_CHARS


def _record(lines: list[str], at: int, delimiter: str, final: bool) -> tuple[list[str], str, int]:
    """(cells, reason or "", lines used) of the record that starts at line `at`; 0 used: it goes on after the chunk."""
    first = lines[at]
    if len(first) > MAX_LINE_CHARS:
        return [first[:1000]], "line_too_long", 1
    if '"' not in first:
        reason = _broken(first)
        return ([first], reason, 1) if reason else (_split([first], delimiter), "", 1)
    if not _open(first, delimiter):
        reason = _broken(first)
        return ([first], reason, 1) if reason else (_split([first], delimiter), "", 1)
    # A quoted cell goes on in the next lines: take lines until the quotes are even and the record is closed.
    taken = [first]
    quotes = first.count('"')
    for line in lines[at + 1 : at + MAX_RECORD_LINES]:
        taken.append(line)
        quotes += line.count('"')
        if '"' in line and quotes % 2 == 0:
            reason = _broken("\n".join(taken))
            if reason:
                return ["\n".join(taken)], reason, len(taken)
            return _split(taken, delimiter), "", len(taken)
    if len(taken) < MAX_RECORD_LINES and not final:
        return [], "", 0
    return [first], "unbalanced_quote", 1


def _open(line: str, delimiter: str) -> bool:
    """Whether a quoted cell of `line` is not closed in it. A quote inside an unquoted cell is an ordinary character."""
    if line.count('"') % 2 == 0:
        return False
    probe = csv.reader([line, "\x01"], delimiter=delimiter)
    return "\x01" in next(probe)[-1]


def _broken(text: str) -> str:
    if "\0" in text:
        return "null_character"
    return "broken_characters" if "\ufffd" in text else ""


def _split(lines: list[str], delimiter: str) -> list[str]:
    return next(csv.reader([line + "\n" for line in lines], delimiter=delimiter), [])


def open_workbook(path: Path) -> Any:
    """The workbook. Raises InvalidInput if it is damaged."""
    from python_calamine import CalamineWorkbook  # only workbooks need the library

    try:
        return CalamineWorkbook.from_path(str(path))
    except Exception as error:
        raise InvalidInput(
            "The workbook can't be read; it may be damaged or protected by a password.",
            code="file_damaged",
            fields={"file": "Open it, save it again without a password, and choose that file."},
        ) from error


def _workbook(path: Path, sheet: str) -> Iterator[Batch]:
    size = path.stat().st_size
    book = open_workbook(path)
    name = sheet or next(iter(book.sheet_names), "")
    if name not in book.sheet_names:
        raise InvalidInput(f"There is no sheet “{name}”.", code="no_sheet", fields={"sheet": "Choose another sheet."})
    content = book.get_sheet_by_name(name)
    total = content.total_height or 1
    number = 1
    rows: list[list[str]] = []
    bad: dict[int, str] = {}
    for cells in content.iter_rows():
        row = [_cell(c) for c in cells]
        if any("\0" in c for c in row):
            bad[len(rows)] = "null_character"
        rows.append(row)
        if len(rows) == _WORKBOOK_BATCH:
            yield Batch(number, rows, size * (number + len(rows) - 1) // (total + 1), bad)
            number += len(rows)
            rows, bad = [], {}
    if rows:
        yield Batch(number, rows, size, bad)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return "" if value is None else str(value)
