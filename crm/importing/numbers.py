"""Files of phone numbers alone, for the blacklist and for opt-outs: the column of numbers is found, each row judged.

A file without a header whose first row holds nothing but numbers is taken whole, so that numbers may also stand beside
each other. Rejected rows go to a file of their own as they are met.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from callcenter.errors import InvalidInput
from crm.importing.plan import Plan
from crm.importing.rejects import sentence
from crm.importing.rows import read_rows
from crm.importing.sniff import looks_like_header, propose, sniff
from crm.phones import Normaliser, PhoneFault

MAX_NUMBERS: Final = 1_000_000
MAX_WRONG_SHOWN: Final = 50
_SHOWN_CHARS: Final = 60


@dataclass(frozen=True)
class Given:
    """Numbers as written, judged. `good`: E.164, each once, in their order; `duplicates`: how many more stood there.
    `wrong`: the first of the `rejected`, as (row from 1, text, reason: a key of `crm.importing.rejects.REASONS`)."""

    good: tuple[str, ...]
    duplicates: int
    rejected: int
    wrong: tuple[tuple[int, str, str], ...]


class Sorter:
    """Sorts numbers as written into good ones, repetitions and wrong ones."""

    def __init__(self, country: str) -> None:
        self._read = Normaliser(country).read
        self._good: dict[str, None] = {}
        self._wrong: list[tuple[int, str, str]] = []
        self._duplicates = self._rejected = 0

    def take(self, row: int, written: str) -> str:
        """Why `written` is no number; empty if it is one."""
        phone = self._read(written)
        if phone.fault is not None:
            self.reject(row, written, phone.fault.value)
            return phone.fault.value
        if phone.e164 in self._good:
            self._duplicates += 1
        elif len(self._good) >= MAX_NUMBERS:
            raise InvalidInput(
                "The file has too many rows.", code="file_too_long",
                fields={"file": f"A file can have at most {MAX_NUMBERS:,} rows. Cut it into several."},
            )  # fmt: skip
        else:
            self._good[phone.e164] = None
        return ""

    def reject(self, row: int, written: str, reason: str) -> None:
        """Count a row that holds no number."""
        self._rejected += 1
        if len(self._wrong) < MAX_WRONG_SHOWN:
            self._wrong.append((row, written.strip()[:_SHOWN_CHARS], reason))

    def given(self) -> Given:
        """What there was."""
        return Given(tuple(self._good), self._duplicates, self._rejected, tuple(self._wrong))


def sort_typed(numbers: Sequence[str], country: str) -> Given:
    """Numbers as typed; empty ones are nothing. Raises InvalidInput if there is none at all."""
    sorter = Sorter(country)
    lines = 0
    for row, written in enumerate(numbers, 1):
        if written.strip():
            sorter.take(row, written)
            lines += 1
    if not lines:
        raise InvalidInput("There is no number to add.", fields={"numbers": "Give at least one phone number."})
    return sorter.given()


def read_numbers(path: Path, rejects: Path, country: str, locale: str) -> Given:
    """The numbers of an uploaded file. The rows that hold none are written to `rejects` with their row number and the
    reason in the words of `locale` (en, zh-CN); there is no such file if there are none.

    Raises InvalidInput for files that are empty or no table, and when no column looks like one of phones.
    """
    found = sniff(path)
    plan = Plan(encoding=found.encoding or "utf-8", delimiter=found.delimiter or ",")
    sorter = Sorter(country)
    columns: Sequence[int] | None = None
    titles: list[str] = []
    with _Rejects(rejects, locale) as out:
        for batch in read_rows(path, found.kind, plan):
            begin = 0
            if columns is None:
                titles = list(batch.rows[0]) if looks_like_header(batch.rows[:11]) else []
                columns = _columns(batch.rows, titles, Normaliser(country))
                out.titles = titles
                begin = 1 if titles else 0
            for i in range(begin, len(batch.rows)):
                row, number = batch.rows[i], batch.first_no + i
                if i in batch.bad:
                    sorter.reject(number, row[0] if row else "", batch.bad[i])
                    out.write(number, batch.bad[i], row[0] if row else "", row)
                    continue
                cells = [row[c] for c in columns if c < len(row) and row[c].strip()] if columns else row
                cells = [c for c in cells if c.strip()]
                if not cells and any(c.strip() for c in row):
                    sorter.reject(number, "", PhoneFault.MISSING.value)
                    out.write(number, PhoneFault.MISSING.value, "", row)
                for cell in cells:
                    if fault := sorter.take(number, cell):
                        out.write(number, fault, cell.strip(), row)
    return sorter.given()


def _columns(rows: Sequence[Sequence[str]], titles: Sequence[str], normaliser: Normaliser) -> Sequence[int]:
    """The column of numbers; none at all: every cell holds one."""
    first = next((r for r in rows[1 if titles else 0 :] if any(c.strip() for c in r)), ())
    filled = [c for c in first if c.strip()]
    if not titles and len(filled) > 1 and all(normaliser.read(c).fault is None for c in filled):
        return ()
    targets = propose(titles, first, ())
    if "phone" in targets:
        return (targets.index("phone"),)
    if max((len(r) for r in rows[:20]), default=0) == 1:
        return (0,)
    raise InvalidInput(
        "No column of the file looks like phone numbers.",
        code="no_phone_column",
        fields={"file": "Name the column “phone”, or give a file with that column only."},
    )


class _Rejects:
    """The file of rejected rows: made with the first of them, there as a whole or not at all."""

    def __init__(self, path: Path, locale: str) -> None:
        self._path, self._part = path, path.with_suffix(".part")
        self._locale = locale
        self._file: Any = None
        self._out: Any = None
        self.titles: Sequence[str] = ()

    def __enter__(self) -> _Rejects:
        return self

    def write(self, number: int, reason: str, detail: str, row: Sequence[str]) -> None:
        if self._file is None:
            self._file = self._part.open("w", encoding="utf-8-sig", newline="")
            self._out = csv.writer(self._file)
            self._out.writerow([*(("Row", "Reason") if self._locale == "en" else ("行号", "原因")), *self.titles])
        self._out.writerow([number, sentence(reason, detail[:_SHOWN_CHARS], self._locale), *row])

    def __exit__(self, fault: object, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            if fault is None:
                self._part.replace(self._path)
            else:
                self._part.unlink(missing_ok=True)
