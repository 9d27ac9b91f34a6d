"""Longest idle: who has been free longest."""

from __future__ import annotations

from callcenter.acd.free import Free
from callcenter.acd.strategies.ask import Ask


def rank(agent: Free, ask: Ask) -> tuple[float, ...]:
    """All alike: `acd/routing.py` asks the longest idle of equals."""
    return ()
