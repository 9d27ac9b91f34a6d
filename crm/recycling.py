"""When a lead is dialed again after a try. Pure.

A try ends in one of two ways: the network's outcome (busy, no answer …) decides at once; after a conversation the
agent's disposition decides. Every rule is "again after so long, at most so often"; the campaign's `recycling` replaces
the defaults outcome by outcome, `max_attempts` of the campaign closes a lead whatever the outcomes were.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from crm.models import LeadStatus


@dataclass(frozen=True)
class Rule:
    """Again after `after_s` seconds, up to `tries` tries that end like this. `counts`: against the campaign's
    `max_attempts`; what the trunk did wrong is not the lead's fault."""

    after_s: int
    tries: int
    counts: bool = True


DEFAULTS: Final[Mapping[str, Rule]] = {
    "busy": Rule(300, 3),
    "no_answer": Rule(3600, 3),
    "declined": Rule(3600, 3),
    "abandoned": Rule(3600, 3),
    "normal": Rule(3600, 3),  # answered and gone before an agent was there
    "machine": Rule(3600, 3),
    "cancelled": Rule(600, 10, counts=False),
    "congestion": Rule(120, 10, counts=False),
    "unreachable": Rule(120, 10, counts=False),
    "rejected": Rule(600, 10, counts=False),
    "media_lost": Rule(600, 3, counts=False),
    "lost": Rule(600, 3),
    "engine_lost": Rule(600, 10, counts=False),
}
CONNECTED: Final = "connected"
INVALID: Final = "invalid"
_OTHER: Final = Rule(3600, 3)


@dataclass(frozen=True)
class Next:
    """What becomes of the lead. `next_at` only for statuses that may be dialed."""

    status: LeadStatus
    next_at: datetime | None = None


def rule_for(outcome: str, recycling: Mapping[str, Any]) -> Rule:
    """The rule of `outcome`: the default with what the campaign's `recycling` ({outcome: {after_s, tries}}) changes."""
    base = DEFAULTS.get(outcome, _OTHER)
    own = recycling.get(outcome)
    if not isinstance(own, Mapping):
        return base
    return Rule(int(own.get("after_s", base.after_s)), int(own.get("tries", base.tries)), base.counts)


def after_attempt(
    *,
    outcome: str,
    attempts: int,
    same_outcome: int,
    max_attempts: int,
    recycling: Mapping[str, Any],
    now: datetime,
) -> Next:
    """Where a lead stands after a try ended with `outcome`.

    `attempts` are its counted tries and `same_outcome` its tries that ended alike, both with this one. `now` is when
    the try ended. A connected lead is finished unless the agent's disposition says otherwise.
    """
    if outcome == CONNECTED:
        return Next(LeadStatus.FINISHED)
    if outcome == INVALID:
        return Next(LeadStatus.DEAD)
    rule = rule_for(outcome, recycling)
    if same_outcome >= rule.tries or (max_attempts > 0 and attempts >= max_attempts):
        return Next(LeadStatus.FINISHED)
    return Next(LeadStatus.RETRY, now + timedelta(seconds=rule.after_s))


@dataclass(frozen=True)
class DispositionRule:
    """The flags of a disposition that matter for recycling (see `crm.models.Disposition`)."""

    do_not_call: bool = False
    wrong_number: bool = False
    final: bool = False
    retry_after_s: int | None = None
    max_tries: int = 3


def after_disposition(
    rule: DispositionRule,
    *,
    same_disposition: int,
    callback_at: datetime | None,
    now: datetime,
) -> Next:
    """Where a lead stands after the agent's disposition. `same_disposition` counts the tries with it, this one
    included.

    The disposition's own `max_tries` counts here, not the campaign's tries for those who could not be reached. A
    wrong number is dead (the action tries the lead's next phone first).
    """
    if rule.do_not_call:
        return Next(LeadStatus.BLOCKED)
    if callback_at is not None:
        return Next(LeadStatus.CALLBACK, callback_at)
    if rule.wrong_number:
        return Next(LeadStatus.DEAD)
    if rule.final or rule.retry_after_s is None:
        return Next(LeadStatus.FINISHED)
    if same_disposition >= rule.max_tries:
        return Next(LeadStatus.FINISHED)
    return Next(LeadStatus.RETRY, now + timedelta(seconds=rule.retry_after_s))
