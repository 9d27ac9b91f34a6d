"""Percentage: the calls of the day are split by the members' shares.

Asked is whoever is farthest behind: the fewest calls taken per unit of share. Half a call is added, so that at the
start of a day the larger share begins (the method of Webster and Sainte-Laguë). A member with share 0 is asked only
when no other is free.
"""

from __future__ import annotations

import math

from callcenter.acd.free import Free
from callcenter.acd.settings import Member
from callcenter.acd.strategies.ask import Ask


def rank(agent: Free, ask: Ask) -> tuple[float, ...]:
    """Calls per share."""
    share = ask.members.get(agent.user_id, Member(agent.user_id)).share
    return ((agent.taken.get(ask.queue_id, 0) + 0.5) / share if share > 0 else math.inf,)
