"""May this number be called now? One pure judgement, made twice: when a lead enters the hopper and when it is dialed.

The refusal names the rule, so that it can be stored, counted and shown, and the time from which the answer may differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from callcenter.compliance.calling_window import HORIZON_DAYS, is_open, next_opening


class Rule(StrEnum):
    BLACKLIST = "blacklist"
    CALLING_WINDOW = "calling_window"
    ATTEMPTS_24H = "attempts_24h"
    ATTEMPTS_30D = "attempts_30d"
    ABANDONED_LOCKOUT = "abandoned_lockout"
    ACCOUNT_EXPIRED = "account_expired"


@dataclass(frozen=True)
class Rules:
    """A rule set (`compliance.models.RuleSet`) as plain data; 0 means no limit."""

    windows: Sequence[Mapping[str, Any]] = ()
    holidays: Sequence[str] = ()
    attempts_24h: int = 0
    attempts_30d: int = 0
    abandoned_lockout_h: int = 0


@dataclass(frozen=True)
class Callee:
    """What is known of a number at the moment of judging. Counts are over all campaigns of the enterprise."""

    time_zone: str
    blacklisted: bool = False
    tries_24h: int = 0
    tries_30d: int = 0
    oldest_try_24h: float | None = None  # seconds since the epoch
    last_abandoned: float | None = None


@dataclass(frozen=True)
class Refused:
    """`retry_at` in seconds since the epoch; None: not again."""

    rule: Rule
    detail: str
    retry_at: float | None
    params: Mapping[str, object] = field(default_factory=dict)


def judge(rules: Rules, callee: Callee, now: float) -> Refused | None:
    """None if the number may be called at `now` (seconds since the epoch), else the first rule that forbids it."""
    if callee.blacklisted:
        return Refused(Rule.BLACKLIST, "the number is on the blacklist", None)
    at = datetime.fromtimestamp(now, UTC)
    if not is_open(rules.windows, rules.holidays, callee.time_zone, at):
        opening = next_opening(rules.windows, rules.holidays, callee.time_zone, at)
        then = f"none in {HORIZON_DAYS} days" if opening is None else opening.isoformat(timespec="minutes")
        return Refused(
            Rule.CALLING_WINDOW,
            f"outside the calling hours in {callee.time_zone}; next: {then}",
            (opening or at + timedelta(days=1)).timestamp(),
        )
    if rules.attempts_24h and callee.tries_24h >= rules.attempts_24h:
        free_at = (callee.oldest_try_24h or now) + 86_400
        return Refused(Rule.ATTEMPTS_24H, f"called {callee.tries_24h} times in 24 h", max(free_at, now + 60))
    if rules.attempts_30d and callee.tries_30d >= rules.attempts_30d:
        return Refused(Rule.ATTEMPTS_30D, f"called {callee.tries_30d} times in 30 days", now + 86_400)
    if rules.abandoned_lockout_h and callee.last_abandoned is not None:
        until = callee.last_abandoned + 3600 * rules.abandoned_lockout_h
        if now < until:
            return Refused(Rule.ABANDONED_LOCKOUT, "the last call to it was abandoned", until)
    return None
