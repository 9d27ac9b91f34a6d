"""Check 1: may the enterprise send at all?"""

from __future__ import annotations

from smsgateway.checks.verdict import Account, Check, Refusal


def check(account: Account, now: float) -> Refusal | None:
    """Rules: `disabled`, `expired` (params `until`, seconds since the epoch: the validity's end)."""
    if not account.enabled:
        return Refusal(Check.ACCOUNT, "disabled")
    if account.valid_until is not None and now >= account.valid_until:
        return Refusal(Check.ACCOUNT, "expired", {"until": account.valid_until})
    return None
