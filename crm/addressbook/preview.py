"""The first rows of an uploaded file of contacts with what would become of each, for the import dialog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec

from callcenter import wire
from callcenter.errors import InvalidInput
from crm.addressbook.plan import ContactPlan, Judge, mapping_fault, propose
from crm.addressbook.transfer import Places
from crm.importing.columns import EmptyRow, Rejected
from crm.importing.plan import Column
from crm.importing.preview import Sample, column_titles, first_rows
from crm.importing.rejects import sentence
from crm.importing.sniff import looks_like_header, sniff


def preview(
    path: Path, settings: Mapping[str, Any], at: Places, book: frozenset[str], country: str, locale: str, this_year: int
) -> dict[str, Any]:
    """What is found in the file where `settings` do not say otherwise, the first rows, and a verdict for each.

    `book` is empty at first: call it again with those numbers of `numbers` that are in the address book. Raises
    InvalidInput if the file is no table or the settings can't be read.
    """
    found = sniff(path)
    try:
        plan = wire.convert({"country": country, **{k: v for k, v in settings.items() if v is not None}}, ContactPlan)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The settings of the import can't be read: {error}") from None
    plan = replace(
        plan,
        encoding=settings.get("encoding") or found.encoding or "utf-8",
        delimiter=settings.get("delimiter") or found.delimiter or ",",
    )
    sample = first_rows(path, found.kind, plan.reading)
    rows = sample.rows
    if settings.get("header") is None:
        plan = replace(plan, header=looks_like_header(rows[:11]))
    header = rows[0] if plan.header and rows else []
    first = next((r for r in rows[1 if plan.header else 0 :] if any(c.strip() for c in r)), [])
    if settings.get("mapping") is None:
        proposed = propose(header, first)
        plan = replace(plan, mapping=tuple(Column(i, to) for i, to in enumerate(proposed) if to))
    verdicts, numbers = _verdicts(sample, plan, at, book, len(header), locale, this_year)
    return {
        "kind": found.kind.value,
        "detected": {"encoding": found.encoding, "delimiter": found.delimiter},
        "sheets": sample.sheets,
        "settings": {**asdict(plan), "sheet": sample.sheet, "mapping": [asdict(c) for c in plan.mapping]},
        "columns": column_titles(header, rows),
        "rows": verdicts,
        "numbers": numbers,
    }


def _verdicts(
    sample: Sample, plan: ContactPlan, at: Places, book: frozenset[str], width: int, locale: str, this_year: int
) -> tuple[list[dict[str, Any]], list[str]]:
    judge: Judge | None = None
    if not mapping_fault(plan.mapping):
        width = width or max((len(r) for r in sample.rows), default=0)
        judge = Judge(plan, frozenset(at.paths), at.room, width, this_year)
    out: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for i, row in enumerate(sample.rows):
        if plan.header and i == 0:
            continue
        verdict: dict[str, Any] = {
            "row": i + 1, "cells": row, "ok": True, "empty": False, "column": None, "text": "", "phone": "",
            "updates": False,
        }  # fmt: skip
        out.append(verdict)
        if i in sample.bad:
            verdict |= {"ok": False, "text": sentence(sample.bad[i], "", locale)}
            continue
        if judge is None:
            continue
        try:
            judged = judge.judge(row)
        except EmptyRow:
            verdict |= {"empty": True}
            continue
        if isinstance(judged, Rejected):
            verdict |= {
                "ok": False, "column": judged.column, "text": sentence(judged.reason, judged.detail, locale),
            }  # fmt: skip
            continue
        verdict |= {"phone": judged.phones[0] if judged.phones else ""}
        if plan.in_file == "skip" and any(p in seen for p in judged.phones):
            verdict |= {"ok": False, "text": sentence("duplicate_file", "", locale)}
        elif not book.isdisjoint(judged.phones):
            if plan.in_book == "skip":
                verdict |= {"ok": False, "text": sentence("duplicate_book", "", locale)}
            verdict |= {"updates": plan.in_book == "overwrite"}
        seen |= dict.fromkeys(judged.phones, i)
    return out, list(seen)
