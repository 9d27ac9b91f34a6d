"""Skill best: who is best at what the call asked for, though less would do."""

from __future__ import annotations

from callcenter.acd.free import Free
from callcenter.acd.strategies.ask import Ask


def rank(agent: Free, ask: Ask) -> tuple[float, ...]:
    """The highest sum of levels in the wanted skills first."""
    return (-float(sum(agent.skills.get(skill, 0) for skill in ask.wanted)),)
