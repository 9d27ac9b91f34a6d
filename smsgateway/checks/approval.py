"""Check 7: must a person look at it first? Because of who sends, or of words that show only when squeezed."""

from __future__ import annotations

from smsgateway.checks.verdict import NeedsApproval


def check(sender_needs_approval: bool, words: NeedsApproval | None, approved: bool) -> NeedsApproval | None:
    """Rules: `words` (with what check 5 found), `sender`. `approved`: a person has let it pass."""
    if approved:
        return None
    if words is not None:
        return words
    return NeedsApproval("sender") if sender_needs_approval else None
