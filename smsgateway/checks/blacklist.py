"""Check 3: is the number on the enterprise's blacklist? It holds for every purpose."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from smsgateway.checks.verdict import Check, Refusal

_LISTED = Refusal(Check.BLACKLIST, "listed")


def check(phone: str, blacklisted: AbstractSet[str]) -> Refusal | None:
    """Rule: `listed`."""
    return _LISTED if phone in blacklisted else None
