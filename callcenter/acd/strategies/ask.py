"""What a strategy knows of the call when it ranks agents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from callcenter.acd.free import Free
from callcenter.acd.settings import Member


@dataclass(frozen=True)
class Ask:
    """One call looking for an agent of queue `queue_id`. `wanted`: skills the call asked for before any waiting;
    `needs` what is left of them; `last_asked`: the agent whom the queue asked last; `sticky`: who should have this
    caller again."""

    queue_id: int
    wanted: Mapping[str, int] = field(default_factory=dict)
    needs: Mapping[str, int] = field(default_factory=dict)
    members: Mapping[int, Member] = field(default_factory=dict)
    utilisation_cap: float = 1.0
    last_asked: int = 0
    sticky: int | None = None


Rank = Callable[[Free, Ask], tuple[float, ...]]
"""The lower is asked sooner; at equal ranks, who has been free longest."""
