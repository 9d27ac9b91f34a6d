"""What a carrier's contract means for money and doubt, and what receipts make of a text. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from smsgateway.carriers.port import ReceiptStatus
from smsgateway.texts import TEXT, TextEvent, TextState


class Doubt(StrEnum):
    KEEP = "keep"
    RESEND = "resend"


class Refund(StrEnum):
    NEVER = "never"
    FAILED = "failed"
    FAILED_OR_EXPIRED = "failed_or_expired"


@dataclass(frozen=True, slots=True)
class Policy:
    """`receipt_wait_s`: after that long without a receipt a text counts as expired."""

    doubt: Doubt = Doubt.KEEP
    refund: Refund = Refund.FAILED
    receipt_wait_s: float = 72 * 3600

    def gives_back(self, state: TextState) -> bool:
        """Whether what was paid for a text that ended in `state` is given back."""
        if state is TextState.FAILED:
            return self.refund is not Refund.NEVER
        return state is TextState.EXPIRED and self.refund is Refund.FAILED_OR_EXPIRED


SUPERSEDED: Final = "superseded"  # a part of an earlier try of a text that was sent again
PART_STATES: Final = {
    ReceiptStatus.DELIVERED: "delivered",
    ReceiptStatus.READ: "delivered",
    ReceiptStatus.FAILED: "failed",
    ReceiptStatus.EXPIRED: "expired",
}
FINAL_PARTS: Final = frozenset({"delivered", "failed", "expired", SUPERSEDED})


def after_receipts(state: TextState, parts: Collection[str], expected: int = 1) -> TextState | None:
    """The state of a text in `state` whose parts are now in `parts`; None: as it was.

    Delivered when all parts are; failed or expired as soon as one is. A final state stays what it is. Of a doubtful
    text, `expected` parts must be known.
    """
    if "failed" in parts:
        event = TextEvent.FAILED
    elif "expired" in parts:
        # A doubtful text knows no expiry: nobody knows what else of it was sent.
        event = TextEvent.EXPIRED if state is TextState.SUBMITTED else TextEvent.FAILED
    elif parts and all(p == "delivered" for p in parts) and (state is TextState.SUBMITTED or len(parts) >= expected):
        event = TextEvent.DELIVERED
    else:
        return None
    return TEXT.next(state, event) if TEXT.accepts(state, event) else None
