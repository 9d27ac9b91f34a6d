"""Queue: the call goes to a queue of agents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from callcenter.calls.destination import Destination, DestinationKind
from ivr.state import Run
from ivr.verb import Kind, Verb, Way, Wrong, setting


@dataclass(frozen=True)
class Queue(Verb):
    """`priority` is added to the queue's own, higher is sooner; `skills` are wanted besides the queue's. `last_agent`:
    who spoke with the caller last is preferred."""

    name = "queue"
    ends = True

    queue: int | None = setting(Kind.QUEUE, None, required=True)
    priority: int = setting(Kind.INTEGER, 0, low=-100, high=100)
    skills: Mapping[str, int] = setting(Kind.SKILLS, {})
    last_agent: bool = setting(Kind.FLAG, False)

    def ways(self) -> tuple[Way, ...]:
        return ()

    def enter(self, run: Run) -> str | None:
        data: dict[str, Any] = {}
        if self.priority:
            data["priority"] = self.priority
        if self.skills:
            data["skills"] = dict(self.skills)
        if self.last_agent and run.call.caller.get("last_agent_id"):
            data["sticky_agent"] = run.call.caller["last_agent_id"]
        run.hand_over(Destination(DestinationKind.QUEUE, self.queue), data)
        return "queue"

    def check(self) -> Iterator[Wrong]:
        """Levels are from 1 to 10."""
        if not all(1 <= level <= 10 for level in self.skills.values()):
            yield Wrong("bad_level", where="skills")
