"""Predictive dialing: dial ahead of agents who will be free, and keep abandoned calls under the day's cap.

Each tick: learn from what happened (`calls`, `agents`), forecast the next half-minute (`forecast`), and dial as long
as one more call's expected cost in abandoned calls stays within what the day's account allows (`budget`).
The reasoning and what was measured stand in docs/adr/0007-pacing.md.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from callcenter.errors import InvalidInput
from dialer.pacing.agents import BusyAgents
from dialer.pacing.budget import Budget
from dialer.pacing.calls import CallsInFlight
from dialer.pacing.forecast import Forecast, NewCall
from dialer.pacing.interface import CampaignInfo, Snapshot, free_lines, in_flight, signed_in

STEP_S = 2
MAX_HORIZON_S = 40
REBUILD_CALLS_TICKS = 5
REBUILD_AGENTS_TICKS = 20
UNLIMITED = 1e6
# Relative error of the share of live answers above which a decision counts as made in the dark.
WARM_UP_CV = 0.25


class Limit(StrEnum):
    """What kept the last decision from dialing more."""

    NO_AGENTS = "no_agents"
    """Nobody is signed in, or all are on a pause."""
    ENOUGH_IN_FLIGHT = "enough_in_flight"
    """The calls in flight will keep busy everyone who is free or about to be."""
    ABANDON_CAP = "abandon_cap"
    """The day's account of abandoned calls is spent or short, so less is risked than the campaign allows."""
    WARM_UP = "warm_up"
    """Too few answers seen yet to know how the list answers."""
    LINES = "lines"
    CALLS_PER_SECOND = "calls_per_second"


@dataclass(frozen=True)
class PacingReason:
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
    """Abandoned calls that the next call, if live, would be expected to cause, a fraction."""
    risk_limit: float
    """The most that is accepted now."""


class CapOutOfRange(InvalidInput):
    """The cap is not a fraction between 0 and 1."""

    code = "pacing.cap_out_of_range"

    def __init__(self, cap: float) -> None:
        remedy = "abandoned calls per live answer: a fraction between 0 and 1 (3 % is 0.03)"
        super().__init__(f"{cap!r} is no abandon cap", fields={"abandon_cap": remedy}, params={"abandon_cap": cap})


class Pacer:
    """Predictive pacer, one per campaign and shift-day.

    `live_before` and `abandoned_before` are totals of the same day that the snapshots do not contain, because the
    engine was restarted: they count against the cap.
    """

    def __init__(self, live_before: int = 0, abandoned_before: int = 0) -> None:
        self._before = max(0, live_before), max(0, abandoned_before)
        self._reason: PacingReason | None = None

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
        self._asked: list[float] = []
        self._rebuild()

    def decide(self, s: Snapshot) -> int:
        """New calls to place now, a whole number ≥ 0; 0 without an agent who takes calls."""
        self._learn(s)
        lines, per_tick = free_lines(self._info, s), self._calls_per_tick()
        if signed_in(s) == 0:
            self._explain(s, Limit.NO_AGENTS, 0, 0.0)
            return 0
        most = min(lines, per_tick)
        costs = self._worth_dialing(self._forecast(s), most)
        # One call per ready agent risks next to nothing, so it is never forbidden by an estimate.
        n = max(len(costs.accepted), min(most, len(s.ready_since) - in_flight(s)))
        self._asked = costs.accepted + [costs.refused] * (n - len(costs.accepted))
        if n < most:
            self._explain(s, self._scarce(), n, costs.refused)
        else:
            self._explain(s, Limit.LINES if lines < per_tick else Limit.CALLS_PER_SECOND, n, costs.refused)
        return n

    def explain(self) -> PacingReason | None:
        """Why the last decision was no larger; None before the first."""
        return self._reason

    def set_abandon_cap(self, cap: float) -> None:
        """Change the day's cap while dialing, a fraction. What was abandoned so far counts. Raises `CapOutOfRange`."""
        if not 0.0 <= cap <= 1.0:
            raise CapOutOfRange(cap)
        self._info = self._info._replace(abandon_cap=cap)
        self._budget.cap = cap

    def set_limits(self, max_lines: int, max_cps: float) -> None:
        """Change how many lines and calls per second there are while dialing."""
        self._info = self._info._replace(max_lines=max_lines, max_cps=max_cps)

    def _learn(self, s: Snapshot) -> None:
        self._calls.observe(s)
        self._agents.observe(s)
        for cost in self._asked[: max(0, s.placed)]:
            self._budget.accept(cost, self._new.live)
        self._asked = []
        self._budget.observe(s.now, s.live, s.abandoned)
        self._ticks += 1
        if self._ticks % REBUILD_AGENTS_TICKS == 0:
            self._agents.rebuild()
        if self._ticks % REBUILD_CALLS_TICKS == 0:
            self._rebuild()

    def _worth_dialing(self, forecast: Forecast, most: int) -> "_Costs":
        """How many new calls the account allows, at most `most`: each further one costs more, so halve the interval."""
        limit = self._budget.limit
        if most <= 0:
            return _Costs([], limit)
        known: dict[int, float] = {}

        def fits(nth: int) -> bool:
            known[nth] = forecast.cost(nth, self._new)
            return known[nth] <= limit

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
        accepted = np.interp(np.arange(1, low + 1), sorted(known), [known[k] for k in sorted(known)]).tolist()
        return _Costs(accepted, known.get(low + 1, limit))

    def _calls_per_tick(self) -> int:
        per_tick = min(self._info.max_cps * self._info.tick_s, UNLIMITED)
        return max(1, int(per_tick)) if per_tick > 0 else 0

    def _scarce(self) -> Limit:
        if self._calls.level.cv > WARM_UP_CV:
            return Limit.WARM_UP
        return Limit.ABANDON_CAP if self._budget.short else Limit.ENOUGH_IN_FLIGHT

    def _explain(self, s: Snapshot, limit: Limit, n: int, risk: float) -> None:
        budget = self._budget
        self._reason = PacingReason(
            limit=limit,
            dialing=n,
            in_flight=in_flight(s),
            agents_ready=len(s.ready_since),
            agents_busy=len(s.talk_since) + len(s.wrap_since),
            live_share=self._new.live,
            abandon_rate=budget.abandoned / budget.live if budget.live else 0.0,
            abandon_cap=budget.cap,
            risk=risk,
            risk_limit=budget.limit,
        )

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
        self._calls.rebuild()
        at = np.arange(self._span) + 0.5
        since = self._instants[None, :] - at[:, None]
        handled = np.interp(since, np.arange(len(self._agents.handled)), self._agents.handled)
        arrived = at[:, None] <= (self._instants - self._info.patience_s)[None, :]
        self._stay = np.where(arrived, 1.0 - handled, 0.0)
        live = self._calls.ring_live
        self._ring_hold = live @ self._stay
        self._ring_arrive = live.reshape(len(live), -1, self._step).sum(axis=2)
        self._new = NewCall(float(live[0].sum()), self._ring_arrive[0].tolist(), self._ring_hold[0].tolist())


@dataclass(frozen=True)
class _Costs:
    """Expected cost per live answer of each new call the account allows, and of the first it does not."""

    accepted: list[float]
    refused: float
