"""The first rows of an upload with what would become of each, for the page on which columns are mapped.

Workbooks are opened in a process of their own: a large one keeps a CPU busy for seconds, and a web process must not
stand still meanwhile.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from callcenter import wire
from callcenter.config import ROOT
from callcenter.errors import InvalidInput
from crm.fields import Field
from crm.importing.columns import EmptyRow, Mapper, Rejected
from crm.importing.plan import Column, Plan
from crm.importing.rejects import sentence
from crm.importing.rows import open_workbook, read_rows
from crm.importing.sniff import FileKind, looks_like_header, propose, sniff

ROWS = 50
_TIMEOUT_S = 90


@dataclass(frozen=True)
class Sample:
    """First rows of a file; `bad` maps an index in `rows` to the reason. `sheets` are a workbook's."""

    rows: list[list[str]]
    bad: dict[int, str]
    sheets: list[str]
    sheet: str = ""


def preview(
    path: Path,
    settings: Mapping[str, Any],
    fields: Mapping[str, Field],
    owners: Mapping[str, int],
    country: str,
    locale: str,
) -> dict[str, Any]:
    """What is found in the file where `settings` do not say otherwise, the first rows, and a verdict for each.

    Raises InvalidInput if the file is no table or the settings can't be read.
    """
    found = sniff(path)
    try:
        plan = wire.convert({"country": country, **{k: v for k, v in settings.items() if v is not None}}, Plan)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The settings of the import can't be read: {error}") from None
    plan = replace(
        plan,
        encoding=settings.get("encoding") or found.encoding or "utf-8",
        delimiter=settings.get("delimiter") or found.delimiter or ",",
    )
    sample = first_rows(path, found.kind, plan)
    rows = sample.rows
    if settings.get("header") is None:
        plan = replace(plan, header=looks_like_header(rows[:11]))
    header = rows[0] if plan.header and rows else []
    first = next((r for r in rows[1 if plan.header else 0 :] if any(c.strip() for c in r)), [])
    proposed = propose(header, first, [(f.key, f.label) for f in fields.values()])
    if settings.get("mapping") is None:
        plan = replace(plan, mapping=tuple(Column(i, to) for i, to in enumerate(proposed) if to))
    return {
        "kind": found.kind.value,
        "detected": {"encoding": found.encoding, "delimiter": found.delimiter},
        "sheets": sample.sheets,
        "settings": {**asdict(plan), "sheet": sample.sheet, "mapping": [asdict(c) for c in plan.mapping]},
        "columns": column_titles(header, rows),
        "rows": _verdicts(sample, plan, fields, owners, len(header) or max((len(r) for r in rows), default=0), locale),
    }


def column_titles(header: list[str], rows: list[list[str]]) -> list[str]:
    """The header's cells, and an empty one for each column that it does not name."""
    width = max((len(r) for r in rows), default=0)
    return [header[i] if i < len(header) else "" for i in range(max(width, len(header)))]


def _verdicts(
    sample: Sample,
    plan: Plan,
    fields: Mapping[str, Field],
    owners: Mapping[str, int],
    width: int,
    locale: str,
) -> list[dict[str, Any]]:
    known = tuple(c for c in plan.mapping if not c.to.startswith("field:") or c.to[6:] in fields)
    mapper = (
        Mapper(replace(plan, mapping=known), fields, owners, width) if any(c.to == "phone" for c in known) else None
    )
    out: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for i, row in enumerate(sample.rows):
        if plan.header and i == 0:
            continue
        verdict: dict[str, Any] = {
            "row": i + 1,
            "cells": row,
            "ok": True,
            "empty": False,
            "column": None,
            "text": "",
            "phone": "",
        }
        out.append(verdict)
        if i in sample.bad:
            verdict |= {"ok": False, "text": sentence(sample.bad[i], "", locale)}
            continue
        if mapper is None:
            continue
        try:
            judged = mapper.judge(row)
        except EmptyRow:
            verdict |= {"empty": True}
            continue
        if isinstance(judged, Rejected):
            text = sentence(judged.reason, judged.detail, locale)
            verdict |= {"ok": False, "column": judged.column, "text": text}
        elif judged.phone_e164 in seen:
            verdict |= {"ok": False, "phone": judged.phone_e164, "text": sentence("duplicate_file", "", locale)}
        else:
            seen[judged.phone_e164] = i
            verdict |= {"phone": judged.phone_e164}
    return out


def first_rows(path: Path, kind: FileKind, plan: Plan) -> Sample:
    """The first ROWS rows of the file as `plan` says to read it. Raises InvalidInput for a bad workbook."""
    return _workbook_sample(path, plan.sheet) if kind is FileKind.WORKBOOK else _text_sample(path, plan)


def _text_sample(path: Path, plan: Plan) -> Sample:
    for batch in read_rows(path, FileKind.TEXT, plan):
        bad = {i: r for i, r in batch.bad.items() if i < ROWS}
        return Sample(batch.rows[:ROWS], bad, [])
    return Sample([], {}, [])


def _workbook_sample(path: Path, sheet: str) -> Sample:
    command = [sys.executable, "-m", "crm.importing.preview", str(path), sheet]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, cwd=ROOT, check=False)
    except subprocess.TimeoutExpired:
        raise InvalidInput(
            "The workbook takes too long to open.",
            code="file_too_large",
            fields={"file": "Save the sheet as CSV and choose that file."},
        ) from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise InvalidInput("The workbook can't be read.", code="file_damaged") from None
    if "code" in answer:
        raise InvalidInput(answer["message"], code=answer["code"], fields=answer["fields"])
    return Sample(answer["rows"], {}, answer["sheets"], answer["sheet"])


def _main(path: Path, sheet: str) -> dict[str, Any]:
    try:
        names = list(open_workbook(path).sheet_names)
        chosen = sheet or (names[0] if names else "")
        batch = next(read_rows(path, FileKind.WORKBOOK, Plan(sheet=chosen)), None)
    except InvalidInput as error:
        return {"code": error.code, "message": error.message, "fields": error.fields}
    return {"sheets": names, "sheet": chosen, "rows": batch.rows[:ROWS] if batch else []}


if __name__ == "__main__":
    json.dump(_main(Path(sys.argv[1]), sys.argv[2]), sys.stdout)
