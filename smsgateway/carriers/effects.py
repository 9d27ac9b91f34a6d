"""What a transaction does to sends and purses, gathered while it changes texts and done at its end, once.

So that all transactions take their locks in one order: texts, sends, accounts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from smsgateway.purse import bookings
from smsgateway.purse.bookings import Line
from smsgateway.sending import counts


@dataclass(slots=True)
class Effects:
    """`sends`: send → its enterprise."""

    sends: dict[int, int] = field(default_factory=dict)
    settled: list[Line] = field(default_factory=list)
    refunded: list[Line] = field(default_factory=list)
    given_back: list[Line] = field(default_factory=list)
    _shifts: dict[int, dict[str, int]] = field(default_factory=dict)

    def moved(
        self, send_id: int, tenant_id: int, before: str, after: str, charged: int = 0, *, not_gone: int = 0
    ) -> None:
        """A text of the send went from one state to another; `charged`: what it costs more now; `not_gone`: its
        segments, if it does not go after all."""
        self.sends[send_id] = tenant_id
        by = self._shifts.setdefault(send_id, {})
        by[before] = by.get(before, 0) - 1
        by[after] = by.get(after, 0) + 1
        if charged:
            by["charged_minor"] = by.get("charged_minor", 0) + charged
        if not_gone:
            by["segments"] = by.get("segments", 0) - not_gone

    def apply(self, session: Session) -> None:
        """Do all of it."""
        counts.shift(session, self._shifts)
        bookings.book(session, settled=self.settled, refunded=self.refunded, given_back=self.given_back)
