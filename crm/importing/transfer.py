"""One pass over a file: each row judged, staged or rejected, then all of it settled into the list."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from crm.fields import Field
from crm.importing.columns import EmptyRow, LeadRow, Mapper
from crm.importing.loading import Settling, Staging
from crm.importing.plan import Plan
from crm.importing.rows import read_rows
from crm.importing.sniff import FileKind

REJECTED_COUNTS = ("rejected", "blacklisted", "duplicate_file", "duplicate_list", "duplicate_enterprise")


def load(
    connection: psycopg.Connection,
    tenant_id: int,
    list_id: int,
    import_id: str,
    source: tuple[Path, FileKind],
    plan: Plan,
    fields: dict[str, Field],
    owners: dict[str, int],
    tick: Callable[..., None],
) -> dict[str, int]:
    """Bring the rows of the file into the list, in the connection's transaction; returns the counts (total: rows that
    are not blank). `tick` gets the progress and may raise to stop."""
    mapper: Mapper | None = None
    blank = rejected = seen = 0
    settling = Settling(connection, tenant_id, list_id, import_id, plan)
    staging = Staging(connection, settling, first_wins=plan.duplicates.file == "skip")
    with _no_cycles(), staging:
        stage, refuse = staging.lead, staging.reject
        for batch in read_rows(*source, plan):
            number = batch.first_no
            start = 0
            if mapper is None:
                mapper = Mapper(plan, fields, owners, _width(batch.rows, plan))
                start = 1 if plan.header else 0
            judge, bad = mapper.judge, batch.bad
            for i in range(start, len(batch.rows)):
                if bad and i in bad:
                    refuse(number + i, bad[i], "")
                    rejected += 1
                    continue
                try:
                    verdict = judge(batch.rows[i])
                except EmptyRow:
                    blank += 1
                    continue
                if isinstance(verdict, LeadRow):
                    stage(number + i, verdict)
                else:
                    refuse(number + i, verdict.reason, verdict.detail)
                    rejected += 1
            seen = number + len(batch.rows) - 1
            tick(phase="reading", done_bytes=batch.done_bytes, rows=seen)
    total = max(0, seen - blank - (1 if plan.header and seen else 0))
    tick(force=True, phase="saving", counts={"total": total, "rejected": rejected})
    counts = settling.finish(unique=staging.unique)
    counts["duplicate_file"] += staging.twice
    return {"total": total, "rejected": rejected, **counts}


@contextmanager
def _no_cycles() -> Iterator[None]:
    """Without the collector of cycles: reading rows makes none, and looking for them takes a seventh of its time."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def _width(rows: list[list[str]], plan: Plan) -> int:
    """How many columns the file has: its header's, or as many as most of its first rows have."""
    if not rows:
        return 0
    if plan.header:
        return len(rows[0])
    widths = [len(r) for r in rows[:100] if r]
    return max(set(widths), key=widths.count) if widths else 0
