"""Texts that do not go: their states, the figures of their sends and their money change together.

Texts are locked in order of send and number, then sends, then the purse.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from callcenter import wire
from smsgateway.checks.verdict import Check
from smsgateway.purse import bookings
from smsgateway.sending import claims, counts, progress
from smsgateway.texts import RANK, TEXT, Purpose, TextEvent, TextState

_END: Final = """
WITH picked AS (
  SELECT id, state FROM text_message WHERE {which} ORDER BY send_id, phone_e164 {limit} FOR UPDATE
)
UPDATE text_message t SET state = :state, check_name = CASE WHEN :check = '' THEN t.check_name ELSE :check END,
  rule = CASE WHEN :check = '' THEN t.rule ELSE :rule END,
  detail = CASE WHEN :check = '' THEN t.detail ELSE CAST(:detail AS jsonb) END, final_at = now()
FROM picked WHERE t.id = picked.id
RETURNING t.send_id, t.phone_e164, picked.state AS before, t.reservation_id, t.price_minor, t.segments
"""
_OF_SEND: Final = text(
    _END.format(
        which="send_id = :send AND phone_e164 > :after AND state = ANY(CAST(:states AS text[]))", limit="LIMIT :limit"
    )
)
_OF_PHONES: Final = text(
    _END.format(
        which="tenant_id = :tenant AND phone_e164 = ANY(CAST(:phones AS text[])) AND state = 'queued'"
        " AND rank >= :rank",
        limit="",
    )
)
_CHUNK: Final = 1000


def end_some(
    session: Session,
    send_id: int,
    states: Sequence[TextState],
    event: TextEvent,
    *,
    after: str,
    limit: int,
    check: str = "",
    rule: str = "",
    params: Mapping[str, Any] | None = None,
) -> str | None:
    """End up to `limit` texts of a send that are in one of `states`, of numbers behind `after`; gives the last number,
    None if there was none."""
    state = TEXT.next(states[0], event)
    given = {
        "send": send_id, "after": after, "states": [s.value for s in states], "limit": limit, "state": state.value,
        "check": check, "rule": rule, "detail": wire.to_json({"params": dict(params or {})}).decode(),
    }  # fmt: skip
    rows = session.execute(_OF_SEND, given).all()
    _book(session, rows, state)
    return max(r.phone_e164 for r in rows) if rows else None


def cancel_for(session: Session, tenant_id: int, phones: Iterable[str], why: str) -> int:
    """Cancel at once what is queued for `phones` (E.164) and make its price available again; returns how many texts.

    `why`: opt_out (marketing only) or blacklist (everything), stored with each text as the check that stopped it. To be
    called in the transaction that writes the entry, or after it: no text slips through that is just being made. Whoever
    looks at a send that this changes is shown its figures after the commit.
    """
    check, rule = (Check.BLACKLIST, "listed") if why == Check.BLACKLIST else (Check.OPT_OUT, "opted_out")
    rank = RANK[Purpose.CODE] if check is Check.BLACKLIST else RANK[Purpose.MARKETING]
    wanted = sorted(set(phones))
    if not wanted:
        return 0
    claims.stopping(session, tenant_id)
    done, sends = 0, set[int]()
    for at in range(0, len(wanted), _CHUNK):
        given = {
            "tenant": tenant_id, "phones": wanted[at : at + _CHUNK], "rank": rank, "state": TextState.CANCELLED.value,
            "check": check.value, "rule": rule, "detail": "{}",
        }  # fmt: skip
        rows = session.execute(_OF_PHONES, given).all()
        _book(session, rows, TextState.CANCELLED)
        done += len(rows)
        sends.update(r.send_id for r in rows)
    for send_id in sorted(sends):
        progress.moved(session, send_id)
    return done


def _book(session: Session, rows: Sequence[Any], state: TextState) -> None:
    changes: dict[int, Counter[str]] = defaultdict(Counter)
    lines = []
    for row in rows:
        by = changes[row.send_id]
        by[row.before] -= 1
        by[state.value] += 1
        if row.before == TextState.QUEUED:
            by["segments"] -= row.segments
        if row.before == TextState.QUEUED and row.reservation_id is not None:
            amount = row.price_minor * row.segments
            lines.append(bookings.Line(row.reservation_id, amount, 1, row.segments))
    counts.shift(session, changes)
    bookings.refund(session, lines)
