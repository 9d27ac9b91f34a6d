"""Who gets the next call. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from callcenter.acd.agent import Agent


def longest_idle(agents: Iterable[Agent]) -> Agent | None:
    """The free agent who has been available longest; the lower id at equal times, so that the answer is repeatable."""
    return min((a for a in agents if a.free), key=lambda a: (a.since, a.user_id), default=None)
