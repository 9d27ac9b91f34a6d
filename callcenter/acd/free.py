"""Agents who may be asked just now, as routing sees them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Free:
    """An agent who may take a call. `since`: available since (epoch seconds); `queues` he is signed on to; `skills`
    name → level 1–10; `taken` queue → calls taken from it today; `utilisation` the busy fraction of his last hour."""

    user_id: int
    since: float
    queues: frozenset[int]
    skills: Mapping[str, int] = field(default_factory=dict)
    taken: Mapping[int, int] = field(default_factory=dict)
    utilisation: float = 0.0


class FreeAgents:
    """Free agents by queue: who routes with this asks the agents of one queue, not all of the enterprise."""

    def __init__(self, agents: Iterable[Free] = ()) -> None:
        self._all: dict[int, Free] = {}
        self._by_queue: dict[int, dict[int, Free]] = {}
        for agent in agents:
            self.put(agent)

    def put(self, agent: Free) -> None:
        """This agent may be asked from now on, or his data has changed."""
        self.remove(agent.user_id)
        self._all[agent.user_id] = agent
        for queue_id in agent.queues:
            self._by_queue.setdefault(queue_id, {})[agent.user_id] = agent

    def remove(self, user_id: int) -> None:
        """This agent may not be asked any more; nothing happens if he could not."""
        agent = self._all.pop(user_id, None)
        if agent is not None:
            for queue_id in agent.queues:
                del self._by_queue[queue_id][user_id]

    def of_queue(self, queue_id: int) -> Iterable[Free]:
        """Those signed on to the queue."""
        return self._by_queue.get(queue_id, {}).values()

    def __iter__(self) -> Iterator[Free]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, user_id: object) -> bool:
        return user_id in self._all


def signed_on(agents: Iterable[Free], queue_id: int) -> Iterable[Free]:
    """Those of `agents` who are signed on to the queue; without looking at the others if `agents` is a FreeAgents."""
    if isinstance(agents, FreeAgents):
        return agents.of_queue(queue_id)
    return (a for a in agents if queue_id in a.queues)
