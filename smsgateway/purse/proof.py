"""Proof that the purse is right: the ledger sums to zero, and the balances are what the ledger says."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Fault:
    """`what` of the account or booking `where` is `is_minor`, and the ledger makes it `should_minor`."""

    what: str
    where: str
    is_minor: int
    should_minor: int


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
    return found
