"""Sticky: who spoke with this caller last, then the longest idle.

Whose the caller is, the queue knows (`Ask.sticky`); `acd/routing.py` asks him first under every strategy, because a
menu or a number may name him too. What this strategy adds is that the queue remembers by itself (`Queues.taken`).
"""

from __future__ import annotations

from callcenter.acd.free import Free
from callcenter.acd.strategies.ask import Ask


def rank(agent: Free, ask: Ask) -> tuple[float, ...]:
    """All others alike."""
    return ()
