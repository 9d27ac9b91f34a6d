"""Predictive dialing: dial ahead of agents who will be free, and keep abandoned calls under the day's cap.

Each tick: learn from what happened (`calls`, `agents`), forecast the next half-minute (`forecast`), and dial as long
as one more call's expected cost in abandoned calls stays within what the day's account allows (`budget`).
The reasoning and what was measured stand in docs/adr/0007-pacing.md.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from dialer.pacing.agents import BusyAgents
from dialer.pacing.budget import Budget
from dialer.pacing.calls import CallsInFlight
from dialer.pacing.forecast import Forecast, NewCall
from dialer.pacing.interface import CampaignInfo, Snapshot, free_lines, signed_in

STEP_S = 2
MAX_HORIZON_S = 40
REBUILD_TICKS = 5


class Limit(StrEnum):
    """What held the last decision back."""

    NONE = "none"
    NO_AGENTS = "no_agents"
    ENOUGH_IN_FLIGHT = "enough_in_flight"
    ABANDON_CAP = "abandon_cap"
    WARM_UP = "warm_up"
    LINES = "lines"
    CALLS_PER_SECOND = "calls_per_second"
    SHIFT_OVER = "shift_over"


@dataclass(frozen=True)
class Reason:
    """Why the last decision was what it was: the limit in force and the figures behind it."""

    limit: Limit
    dialing: int
    """Calls asked for."""
    in_flight: int
    """Calls ringing, screening or waiting at that moment."""
    agents_ready: int
    agents_busy: int
    """Talking or in wrap-up."""
    live_share: float
    """Estimated share of dials that turn out live."""
    abandon_rate: float
    """Abandoned / live of the day so far, a fraction; 0 before the first live answer."""
    abandon_cap: float
    risk: float
    """Abandoned calls one more live answer would be expected to cause, a fraction."""
    risk_limit: float
    """The most that is accepted now."""


class Pacer:
    """Predictive pacer. Optional arguments: the day's totals before a restart, which count against the cap."""

    def __init__(self, live_before: int = 0, abandoned_before: int = 0) -> None:
        self._before = max(0, live_before), max(0, abandoned_before)

    def start(self, info: CampaignInfo) -> None:
        """Begin a shift-day with nothing learned."""
        self._info = info
        step = STEP_S
        horizon = int(min(MAX_HORIZON_S, max(8.0, info.ring_timeout_s)))
        middles = np.arange(step / 2, horizon, step)
        self._instants = middles + info.patience_s
        self._step = step
        self._span = len(middles) * step
        self._agents = BusyAgents(self._instants, info.tick_s)
        self._calls = CallsInFlight(info, self._span)
        self._budget = Budget(info.abandon_cap, info.shift_s, *self._before)
        self._ticks = 0
        self._asked: list[tuple[float, float]] = []
        self._rebuild()

    def decide(self, s: Snapshot) -> int:
        """Calls to place now, a whole number ≥ 0."""
        self._calls.observe(s)
        self._agents.observe(s)
        for cost, live in self._asked[: max(0, s.placed)]:
            self._budget.accept(cost, live)
        self._budget.observe(s.now, s.live, s.abandoned)
        self._ticks += 1
        if self._ticks % REBUILD_TICKS == 0:
            self._rebuild()
        most = min(free_lines(self._info, s), max(1, int(self._info.max_cps * self._info.tick_s)))
        if signed_in(s) == 0:
            self._asked = []
            return 0
        forecast = self._forecast(s)
        limit = self._budget.limit
        n = 0
        costs: dict[int, float] = {}

        def fits(nth: int) -> bool:
            costs[nth] = forecast.cost(nth, self._new)
            return costs[nth] <= limit

        low, high = 0, 1
        while high <= most and fits(high):
            low, high = high, high * 2
        high = min(high, most + 1)
        while high - low > 1:
            middle = (low + high) // 2
            if fits(middle):
                low = middle
            else:
                high = middle
        n = low
        self._asked = [(costs[k] if k in costs else (costs[1] + costs[n]) / 2, self._new.live) for k in range(1, n + 1)]
        return n

    def _forecast(self, s: Snapshot) -> Forecast:
        busy = self._agents.busy(s)
        ready = len(s.ready_since)
        ringing, screening = self._ring_hold[self._calls.ringing_ages], self._calls.live_in()[1]
        hold = np.concatenate((ringing, screening @ self._stay))
        arrivals = self._ring_arrive[self._calls.ringing_ages].sum(axis=0)
        arrivals = arrivals + screening.sum(axis=0).reshape(-1, self._step).sum(axis=1)
        return Forecast(ready + len(busy), busy, hold, len(s.waiting_since), arrivals, self._calls.level.cv)

    def _rebuild(self) -> None:
        """Tables per second rung → per instant. The learned shapes move slowly, so every few ticks is enough."""
        self._agents.rebuild()
        self._calls.rebuild()
        at = np.arange(self._span) + 0.5
        since = self._instants[None, :] - at[:, None]
        handled = np.interp(since, np.arange(len(self._agents.handled)), self._agents.handled)
        arrived = at[:, None] <= (self._instants - self._info.patience_s)[None, :]
        self._stay = np.where(arrived, 1.0 - handled, 0.0)
        live = self._calls.ring_live
        self._ring_hold = live @ self._stay
        self._ring_arrive = live.reshape(len(live), -1, self._step).sum(axis=2)
        self._new = NewCall(
            float(live[0].sum()), self._ring_arrive[0].tolist(), self._ring_hold[0].tolist()
        )
