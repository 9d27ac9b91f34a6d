"""Who gets the next call. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from random import Random

from callcenter.acd.agent import Agent
from callcenter.acd.free import Free
from callcenter.acd.settings import QueueSettings, Strategy
from callcenter.acd.strategies import RANKS, Ask

# A need that only the caller brings (from a menu) falls by one level in this time, so that none holds him for ever.
OWN_NEED_RELAX_S = 60.0
_ROUNDING_S = 1e-6  # a clock of seconds since the epoch is no finer


def longest_idle(agents: Iterable[Agent]) -> Agent | None:
    """The free agent who has been available longest; the lower id at equal times, so that the answer is repeatable."""
    return min((a for a in agents if a.free), key=lambda a: (a.since, a.user_id), default=None)


def wanted(settings: QueueSettings, own: Mapping[str, int]) -> dict[str, int]:
    """Skill → level asked for before any waiting: the queue's and the caller's `own`, the higher of both."""
    out = dict(own)
    for need in settings.skills:
        out[need.skill] = max(need.level, own.get(need.skill, 0))
    return out


def needs(settings: QueueSettings, own: Mapping[str, int], wait_s: float) -> dict[str, int]:
    """Skill → level still wanted after `wait_s`; what has fallen to 0 is left out."""
    out: dict[str, int] = {}
    rules = {n.skill: (n.relax_every_s, n.at_least) for n in settings.skills}
    for skill, level in wanted(settings, own).items():
        every_s, at_least = rules.get(skill, (OWN_NEED_RELAX_S, 0))
        if every_s > 0 and wait_s > 0:
            level = max(level - math.floor((wait_s + _ROUNDING_S) / every_s), min(at_least, level))
        if level > 0:
            out[skill] = level
    return out


def next_relax_s(settings: QueueSettings, own: Mapping[str, int], wait_s: float) -> float | None:
    """After how much waiting in all a need falls next, seen from `wait_s`; None if none will."""
    rules = {n.skill: (n.relax_every_s, n.at_least) for n in settings.skills}
    out: float | None = None
    for skill, level in wanted(settings, own).items():
        every_s, at_least = rules.get(skill, (OWN_NEED_RELAX_S, 0))
        if every_s <= 0:
            continue
        step = math.floor((max(wait_s, 0.0) + _ROUNDING_S) / every_s) + 1
        if step <= level - at_least and (out is None or step * every_s < out):
            out = step * every_s
    return out


def meets(agent: Free, levels: Mapping[str, int]) -> bool:
    """Whether the agent has all these skills at these levels."""
    return all(agent.skills.get(skill, 0) >= level for skill, level in levels.items())


def best(strategy: Strategy, ask: Ask, agents: Iterable[Free], rng: Random) -> Free | None:
    """The agent who is asked for this call, of those who meet its needs; None if none does.

    In this order: not over the cap of utilisation, the caller's own agent, the lower ring of penalty, the strategy's
    rank, the longest idle; `rng` decides between those alike in all of it.
    """
    rank, members, levels = RANKS[strategy], ask.members, ask.needs
    capped = ask.utilisation_cap < 1.0
    first: list[Free] = []
    lowest: tuple[object, ...] | None = None
    for agent in agents:
        if levels and not meets(agent, levels):
            continue
        member = members.get(agent.user_id)
        key = (
            capped and agent.utilisation > ask.utilisation_cap,
            agent.user_id != ask.sticky,
            member.penalty if member else 0,
            *rank(agent, ask),
            agent.since,
        )
        if lowest is None or key < lowest:
            lowest, first = key, [agent]
        elif key == lowest:
            first.append(agent)
    if len(first) > 1:
        return rng.choice(sorted(first, key=lambda a: a.user_id))
    return first[0] if first else None
