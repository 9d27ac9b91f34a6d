"""Round robin: by turns in the order of the agents' ids, beginning after the one who was asked last."""

from __future__ import annotations

from callcenter.acd.free import Free
from callcenter.acd.strategies.ask import Ask


def rank(agent: Free, ask: Ask) -> tuple[float, ...]:
    """Those after the last one come first, each part by id."""
    return (float(agent.user_id <= ask.last_asked), float(agent.user_id))
