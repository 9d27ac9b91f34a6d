"""Statements: what an account had at the beginning of each day, what moved, and what it had at the end.

They are the ledger's own figures (its roll-up by day and what is not in that yet), so they chain: a day's opening is
the closing of the day before. Two chains:

    available   opening + topped up + corrected - reserved + not sent + given back = closing
    reserved    opening + reserved - settled - not sent = closing
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import text
from sqlalchemy.orm import Session

from smsgateway.purse import rollup


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


_DAYS = text(f"""
WITH chained AS (
  SELECT *, sum(available) OVER (ORDER BY day) AS closing, sum(reserved) OVER (ORDER BY day) AS reserved_closing
  FROM (SELECT day, sum(available_minor) AS available, sum(reserved_minor) AS reserved,
    sum(topped_up_minor) AS topped_up, sum(corrected_minor) AS corrected, sum(set_aside_minor) AS set_aside,
    sum(refunded_minor) AS refunded, sum(given_back_minor) AS given_back, sum(settled_minor) AS settled
    FROM ({rollup.days()}) m GROUP BY day) d
)
SELECT day, closing - available AS opening, topped_up, corrected, set_aside, refunded, given_back, closing,
  reserved_closing - reserved AS reserved_opening, settled, reserved_closing, count(*) OVER () AS days
FROM chained
WHERE (CAST(:first AS date) IS NULL OR day >= :first) AND (CAST(:last AS date) IS NULL OR day <= :last)
ORDER BY day DESC LIMIT :most OFFSET :skip
""")


def statement(
    session: Session,
    account_id: int,
    time_zone: str,
    *,
    first: date | None = None,
    last: date | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> tuple[list[Day], int]:
    """The days on which something moved, the newest first, and how many they are in all. `time_zone`: the enterprise's;
    by another one the whole ledger is read.

    A page beyond the last one is empty, and then its total is 0.
    """
    rows = session.execute(
        _DAYS,
        {
            "zone": time_zone, "account": account_id, "first": first, "last": last,
            "most": limit, "skip": offset,
        },
    ).all()  # fmt: skip
    days = [Day(row[0], *(int(v) for v in row[1:11])) for row in rows]
    return days, rows[0].days if rows else 0
