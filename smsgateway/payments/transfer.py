"""Payment by bank transfer: the payer writes the order's number on it, and the operator credits the order by hand."""

from __future__ import annotations

from smsgateway.payments.provider import BadCallback, Callback, Other, Paid, Payable, Reply


class Transfer:
    """Nobody calls back: a bank statement is read by a person."""

    name = "transfer"

    def takes(self, currency: str) -> bool:
        """Any currency."""
        return True

    def start(self, payable: Payable) -> str | None:
        """There is no page to go to; the order page shows what to write on the transfer."""
        return None

    def read(self, callback: Callback, now_s: float) -> Paid | Other:
        """Raises BadCallback: a bank tells us nothing."""
        raise BadCallback("bank transfers have no callback")

    def reply(self, understood: bool) -> Reply:
        """There is nothing here."""
        return Reply(404, "not found")
