"""Fewest calls: who has taken the fewest calls of this queue today."""

from __future__ import annotations

from callcenter.acd.free import Free
from callcenter.acd.strategies.ask import Ask


def rank(agent: Free, ask: Ask) -> tuple[float, ...]:
    """Calls of the queue taken today."""
    return (float(agent.taken.get(ask.queue_id, 0)),)
