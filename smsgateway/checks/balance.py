"""Check 8: can it be paid for? Only a preview asks here; when texts are sent, the purse decides."""

from __future__ import annotations

from smsgateway.checks.verdict import Check, Refusal


def check(cost_minor: int, available_minor: int | None) -> Refusal | None:
    """Rule: `not_enough` (params `cost_minor`, `available_minor`). None available: not asked here."""
    if available_minor is None or cost_minor <= available_minor:
        return None
    return Refusal(Check.BALANCE, "not_enough", {"cost_minor": cost_minor, "available_minor": available_minor})
