"""Check 4: has this person said that they want no marketing? Service texts and codes go all the same."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from smsgateway.checks.verdict import Check, Refusal
from smsgateway.texts import Purpose

_OPTED_OUT = Refusal(Check.OPT_OUT, "opted_out")


def check(phone: str, purpose: Purpose, opted_out: AbstractSet[str]) -> Refusal | None:
    """Rule: `opted_out`."""
    return _OPTED_OUT if purpose == Purpose.MARKETING and phone in opted_out else None
