"""Proof that the purse is right: the ledger sums to zero, and balances and roll-up are what the ledger says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from smsgateway.purse.rollup import DAY_SUMS, SEND_SUMS


@dataclass(frozen=True)
class Fault:
    """`what` of the account or booking `where` is `is_minor`, and the ledger makes it `should_minor`. `rolled`: it is
    of the roll-up of the account of that id, which can be made anew."""

    what: str
    where: str
    is_minor: int
    should_minor: int
    rolled: int | None = None


_BOOKINGS = text("""
SELECT booking, sum(amount_minor) AS total FROM ledger_entry GROUP BY booking HAVING sum(amount_minor) <> 0
""")
_ACCOUNTS = text("""
SELECT a.id, a.available_minor, a.reserved_minor,
  coalesce(l.available, 0) AS l_available, coalesce(l.reserved, 0) AS l_reserved, coalesce(r.held, 0) AS r_held
FROM purse_account a
LEFT JOIN (
  SELECT account_id, sum(amount_minor) FILTER (WHERE side = 'available') AS available,
    sum(amount_minor) FILTER (WHERE side = 'reserved') AS reserved
  FROM ledger_entry GROUP BY account_id
) l ON l.account_id = a.id
LEFT JOIN (SELECT account_id, sum(held_minor) AS held FROM purse_reservation GROUP BY account_id) r
  ON r.account_id = a.id
ORDER BY a.id
""")


def _rolled(table: str, keys: str, sums: tuple[str, ...], side: str) -> Any:
    """What `table` has, and what the ledger makes of it up to the mark, where they differ."""
    made = ", ".join(f"sum({DAY_SUMS[c]}) AS {c}" for c in sums)
    both = ", ".join(f"t.{c} AS is_{c}, l.{c} AS should_{c}" for c in sums)
    differs = " OR ".join(f"t.{c} IS DISTINCT FROM l.{c}" for c in sums)
    return text(f"""
WITH l AS (
  SELECT account_id, day, {keys}, {made} FROM (
    SELECT e.account_id, (e.at AT TIME ZONE m.time_zone)::date AS day, coalesce(e.send_id, 0) AS send_id,
      coalesce(e.user_id, 0) AS user_id, e.purpose, e.side, e.event, e.amount_minor, e.texts, e.segments
    FROM purse_mark m JOIN ledger_entry e ON e.account_id = m.account_id AND e.id <= m.through_id
    WHERE m.time_zone <> '' {side}
  ) x GROUP BY account_id, day, {keys}
), t AS (SELECT {table}.* FROM {table} JOIN purse_mark m USING (account_id) WHERE m.time_zone <> '')
SELECT account_id, day, {both} FROM l FULL JOIN t USING (account_id, day, {keys}) WHERE {differs}
ORDER BY account_id, day LIMIT 100
""")


_ROLLED = (
    (_rolled("purse_day", "user_id, purpose", tuple(DAY_SUMS), ""), tuple(DAY_SUMS)),
    (_rolled("purse_send_day", "send_id, user_id, purpose", SEND_SUMS, "AND e.side = 'spent'"), SEND_SUMS),
)


def faults(session: Session) -> list[Fault]:
    """What is not as it must be; empty if all is right. Of the session's enterprise, or of all in a platform session.

    To be exact while others book, call it in a REPEATABLE READ transaction: it reads twice.
    """
    found = [Fault("booking", b, int(total), 0) for b, total in session.execute(_BOOKINGS)]
    for row in session.execute(_ACCOUNTS):
        for what, value, should in (
            ("available", row.available_minor, row.l_available),
            ("reserved", row.reserved_minor, row.l_reserved),
            ("held by reservations", row.r_held, row.reserved_minor),
        ):
            if value != should:
                found.append(Fault(what, str(row.id), int(value), int(should)))
    for query, sums in _ROLLED:
        for line in session.execute(query).mappings():
            for name in sums:
                there, right = line[f"is_{name}"] or 0, line[f"should_{name}"] or 0
                if there != right:
                    where = f"{line['account_id']} on {line['day']}"
                    found.append(Fault(f"rolled up {name}", where, int(there), int(right), line["account_id"]))
    return found
