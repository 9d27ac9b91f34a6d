"""Routing by looking at everything: every caller against every agent. What `Queues` answers is held against this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from callcenter.acd.queues import Free
from callcenter.acd.settings import QueueSettings


@dataclass(frozen=True)
class Waits:
    """A caller, as he was given to `Queues.enter`."""

    call_id: str
    queue_id: int
    since: float
    priority: int = 0
    skills: Mapping[str, int] = field(default_factory=dict)


def needs(settings: QueueSettings, call: Waits, now: float) -> dict[str, int]:
    """What is left of the caller's and the queue's wishes, level by level."""
    rules = {n.skill: n for n in settings.skills}
    out = {}
    for skill in {*rules, *call.skills}:
        rule = rules.get(skill)
        asked = max(rule.level if rule else 0, call.skills.get(skill, 0))
        every_s, floor = (rule.relax_every_s, rule.at_least) if rule else (60.0, 0)
        level, due = asked, call.since + every_s
        while every_s > 0 and due <= now + 1e-6 and level > min(floor, asked):
            level -= 1
            due += every_s
        out[skill] = level
    return {skill: level for skill, level in out.items() if level > 0}


def may(settings: QueueSettings, agent: Free, call: Waits, now: float) -> bool:
    """Whether the agent may take the call."""
    wanted = needs(settings, call, now)
    return call.queue_id in agent.queues and all(agent.skills.get(s, 0) >= n for s, n in wanted.items())


def agent_for(queues: Mapping[int, QueueSettings], call: Waits, agents: Sequence[Free], now: float) -> int | None:
    """By the longest idle of the lowest ring; times free must differ."""
    settings = queues[call.queue_id]
    rings = {m.user_id: m.penalty for m in settings.members}
    able = [a for a in agents if may(settings, a, call, now)]
    return min(able, key=lambda a: (rings.get(a.user_id, 0), a.since)).user_id if able else None


def call_for(
    queues: Mapping[int, QueueSettings], calls: Sequence[Waits], agent: Free, agents: Sequence[Free], now: float
) -> str | None:
    """The most urgent call that this agent may take and nobody else of `agents` is to take."""
    rest = [a for a in agents if a.user_id != agent.user_id]
    best: tuple[float, float, str] | None = None
    for call in calls:
        settings = queues[call.queue_id]
        if may(settings, agent, call, now) and agent_for(queues, call, [agent, *rest], now) == agent.user_id:
            urgency = settings.priority + call.priority + settings.ageing_per_min * (now - call.since) / 60.0
            key = (-urgency, call.since, call.call_id)
            best = key if best is None or key < best else best
    return best[2] if best else None
