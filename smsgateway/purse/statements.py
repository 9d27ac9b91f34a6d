"""Statements: what an account had at the beginning of each day, what moved, and what it had at the end.

They are read from the ledger alone, so they chain: a day's opening is the closing of the day before. Two chains:

    available   opening + topped up + corrected - reserved + not sent + given back = closing
    reserved    opening + reserved - settled - not sent = closing
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Day:
    """One day of an account, in minor units. `refunded`: reserved, and then not sent. `given_back`: spent, and given
    back after the carrier's final no."""

    day: date
    opening_minor: int
    topped_up_minor: int
    corrected_minor: int
    reserved_minor: int
    refunded_minor: int
    given_back_minor: int
    closing_minor: int
    reserved_opening_minor: int
    settled_minor: int
    reserved_closing_minor: int


_DAYS = text("""
WITH moved AS (
  SELECT (at AT TIME ZONE :zone)::date AS day,
    sum(amount_minor) FILTER (WHERE side = 'available') AS available,
    sum(amount_minor) FILTER (WHERE side = 'reserved') AS reserved,
    sum(amount_minor) FILTER (WHERE side = 'available' AND event = 'top_up') AS topped_up,
    sum(amount_minor) FILTER (WHERE side = 'available' AND event = 'correction') AS corrected,
    sum(amount_minor) FILTER (WHERE side = 'reserved' AND event = 'reserve') AS set_aside,
    sum(amount_minor) FILTER (WHERE side = 'available' AND event = 'refund') AS refunded,
    sum(amount_minor) FILTER (WHERE side = 'available' AND event = 'return') AS given_back,
    sum(amount_minor) FILTER (WHERE side = 'spent' AND event = 'settle') AS settled
  FROM ledger_entry WHERE tenant_id = :tenant AND account_id = :account GROUP BY 1
), chained AS (
  SELECT *, sum(available) OVER (ORDER BY day) AS closing, sum(reserved) OVER (ORDER BY day) AS reserved_closing
  FROM (SELECT day, coalesce(available, 0) AS available, coalesce(reserved, 0) AS reserved,
    coalesce(topped_up, 0) AS topped_up, coalesce(corrected, 0) AS corrected, coalesce(set_aside, 0) AS set_aside,
    coalesce(refunded, 0) AS refunded, coalesce(given_back, 0) AS given_back, coalesce(settled, 0) AS settled
    FROM moved) m
)
SELECT day, closing - available AS opening, topped_up, corrected, set_aside, refunded, given_back, closing,
  reserved_closing - reserved AS reserved_opening, settled, reserved_closing, count(*) OVER () AS days
FROM chained
WHERE (CAST(:first AS date) IS NULL OR day >= :first) AND (CAST(:last AS date) IS NULL OR day <= :last)
ORDER BY day DESC LIMIT :most OFFSET :skip
""")


def statement(
    session: Session,
    tenant_id: int,
    account_id: int,
    time_zone: str,
    *,
    first: date | None = None,
    last: date | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> tuple[list[Day], int]:
    """The days of `time_zone` on which something moved, the newest first, and how many they are in all.

    A page beyond the last one is empty, and then its total is 0.
    """
    rows = session.execute(
        _DAYS,
        {
            "zone": time_zone, "tenant": tenant_id, "account": account_id, "first": first, "last": last,
            "most": limit, "skip": offset,
        },
    ).all()  # fmt: skip
    days = [Day(row[0], *(int(v) for v in row[1:11])) for row in rows]
    return days, rows[0].days if rows else 0
