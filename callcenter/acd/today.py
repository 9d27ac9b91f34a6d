"""A queue's figures of today, counted where its facts are told, and its live document. Pure.

Each count is made at the same moment as the fact that the recorder folds, so the board and the reports never differ.
Formulas are those of `callcenter.metrics.definitions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from callcenter.acd.agent import Agent, AgentState
from callcenter.acd.settings import QueueSettings
from callcenter.acd.views import QueueView, WaitingView
from callcenter.metrics import definitions

AT_WORK = frozenset({AgentState.ON_CALL, AgentState.RINGING})


@dataclass
class Today:
    """Plain, so that it can be saved. `day` is the date in the enterprise's zone; `waited_s` of those answered,
    `handled_s` talk and wrap-up of `handled` conversations."""

    day: str = ""
    offered: int = 0
    answered: int = 0
    answered_in_target: int = 0
    abandoned: int = 0
    overflowed: int = 0
    callbacks: int = 0
    waited_s: float = 0.0
    handled: int = 0
    handled_s: float = 0.0

    @property
    def service_level(self) -> float | None:
        """A fraction; None before anybody was answered or gave up."""
        return definitions.service_level(self.answered_in_target, self.answered, self.abandoned)


def day_of(now: float, zone: ZoneInfo) -> str:
    """The date at `now` (seconds since the epoch) in `zone`, ISO."""
    return datetime.fromtimestamp(now, zone).date().isoformat()


def queue_view(
    settings: QueueSettings,
    today: Today,
    waiting: Sequence[WaitingView],
    agents: Iterable[Agent],
    expected_wait_s: float | None,
    blending: str,
    now: float,
) -> QueueView:
    """The document `queue:{id}`. `agents` are the queue's, whatever their state."""
    states = [a.state for a in agents]
    return QueueView(
        id=settings.id,
        name=settings.name,
        at=now,
        waiting=tuple(waiting),
        longest_wait_since=min((w.since for w in waiting), default=None),
        expected_wait_s=None if expected_wait_s is None else round(expected_wait_s, 1),
        agents=sum(s is not AgentState.OFFLINE for s in states),
        available=sum(s is AgentState.AVAILABLE for s in states),
        talking=sum(s in AT_WORK for s in states),
        wrap_up=sum(s is AgentState.WRAP_UP for s in states),
        paused=sum(s is AgentState.PAUSED for s in states),
        offered=today.offered,
        answered=today.answered,
        answered_in_target=today.answered_in_target,
        abandoned=today.abandoned,
        overflowed=today.overflowed,
        callbacks=today.callbacks,
        service_level=today.service_level,
        target=settings.service_level,
        target_s=settings.service_level_s,
        asa_s=round(today.waited_s / today.answered, 1) if today.answered else None,
        aht_s=round(today.handled_s / today.handled, 1) if today.handled else None,
        blending=blending,
    )
