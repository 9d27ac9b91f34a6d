"""The figures of sends: they change in the transaction that changes the texts, and always sum to `asked`.

Locks are taken in one order everywhere: texts by id, sends by id, then the purse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from callcenter import wire
from smsgateway.texts import TextState

STATES: Final = tuple(s.value for s in TextState)
COLUMNS: Final = (*STATES, "asked", "duplicates", "charged_minor", "segments")

_CHANGED = ", ".join(f"{c} = s.{c} + coalesce(d.{c}, 0)" for c in COLUMNS)
_TYPED = ", ".join(f"{c} bigint" for c in COLUMNS)
# A send whose texts have all gone is done, or waits for the supervisor with the rest.
_SHIFT = text(f"""
UPDATE text_send s SET {_CHANGED}, updated_at = now(),
  state = CASE WHEN s.state <> 'sending' OR d.open THEN s.state WHEN d.held THEN 'approval' ELSE 'done' END,
  finished_at = CASE WHEN s.state <> 'sending' OR d.open OR d.held THEN s.finished_at ELSE now() END
FROM (
  SELECT x.*, t.queued + coalesce(x.queued, 0) + t.submitting + coalesce(x.submitting, 0) > 0 AS open,
    t.approval + coalesce(x.approval, 0) > 0 AS held
  FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(id bigint, {_TYPED}) JOIN text_send t ON t.id = x.id
) d
WHERE s.id = d.id RETURNING s.id, s.tenant_id, s.state
""")


def lock(session: Session, send_ids: Iterable[int]) -> None:
    """Lock sends in the order that all keep to."""
    wanted = sorted(set(send_ids))
    if wanted:
        query = text("SELECT 1 FROM text_send WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR UPDATE")
        session.execute(query, {"ids": wanted})


def shift(session: Session, changes: Mapping[int, Mapping[str, int]]) -> list[Any]:
    """Add `changes` (send id → column of COLUMNS → difference) and end the sends of which nothing waits any more;
    gives rows (id, tenant_id, state). Locks the sends."""
    rows = [{"id": i, **{c: n for c, n in by.items() if n}} for i, by in sorted(changes.items())]
    rows = [r for r in rows if len(r) > 1]
    if not rows:
        return []
    lock(session, [int(r["id"]) for r in rows])
    return list(session.execute(_SHIFT, {"rows": wire.to_json(rows).decode()}))
