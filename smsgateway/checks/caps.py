"""Check 6: how often and at what hours a number may be texted, by the enterprise's rule set (shared with calls).

The rules say for which purposes they hold (`TextRules.purposes`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from callcenter.compliance.calling_window import HORIZON_DAYS, is_open, next_opening
from smsgateway.checks.verdict import Check, Hold, Refusal, TextRules


def hours(rules: TextRules, zone: str, now: float, wait: bool) -> Hold | Refusal | None:
    """Whether the hours in `zone` are open at `now`.

    Rules: `hours` (params `zone`, `opens` in seconds since the epoch) where it may not wait; `never_open` (params
    `zone`, `days`) if no hour opens within the horizon.
    """
    if not rules.windows and not rules.holidays:
        return None
    at = datetime.fromtimestamp(now, UTC)
    if is_open(rules.windows, rules.holidays, zone, at):
        return None
    opening = next_opening(rules.windows, rules.holidays, zone, at + timedelta(microseconds=1))
    if opening is None:
        return Refusal(Check.CAPS, "never_open", {"zone": zone, "days": HORIZON_DAYS})
    if wait:
        return Hold(opening.timestamp(), "hours")
    return Refusal(Check.CAPS, "hours", {"zone": zone, "opens": opening.timestamp()})


def frequency(rules: TextRules, sent_24h: int, sent_30d: int) -> Refusal | None:
    """Whether one text more is too many. Rules: `texts_24h`, `texts_30d` (params `sent`, `limit`)."""
    if rules.texts_24h and sent_24h >= rules.texts_24h:
        return Refusal(Check.CAPS, "texts_24h", {"sent": sent_24h, "limit": rules.texts_24h})
    if rules.texts_30d and sent_30d >= rules.texts_30d:
        return Refusal(Check.CAPS, "texts_30d", {"sent": sent_30d, "limit": rules.texts_30d})
    return None
