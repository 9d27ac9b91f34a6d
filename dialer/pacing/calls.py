"""Which calls in flight will turn out live, and when: by how long they have rung.

Three things are learned from each tick: the hazard of a live answer, of another answer and of any other end, per
second of ringing; how long screening takes; and a quick factor, `Level`, on the live answers, because the share of
people who answer changes within minutes while the shape of ringing hardly does.
"""

from collections import deque

import numpy as np

from dialer.pacing.hazards import Floats, Ints, ages, lognormal_hazard, spread
from dialer.pacing.interface import CampaignInfo, Snapshot
from dialer.pacing.level import Level

DELAY_BINS = 8
PRIOR_CALLS = 8.0
MEMORY_ANSWERS = 500.0
PRIOR_LIVE, PRIOR_MACHINE = 0.30, 0.20
FORGET_ANSWER_S = 60.0
MAX_RING_S = 120
KEEP_DELAY = 0.995
# Beyond this a time stamp is a fault of its sender; infinities and not-a-numbers are caught with it.
FOREVER_S = 1e10


class CallsInFlight:
    """Forecasts the live answers among calls in flight.

    `span` is how many whole seconds ahead are forecast.
    """

    def __init__(self, info: CampaignInfo, span: int) -> None:
        self._span = span
        self._tick_s = info.tick_s
        self._rings = max(2, min(MAX_RING_S, int(np.ceil(info.ring_timeout_s))))
        n = self._rings
        self._smooth = spread(1.2, 0.04, n)
        live = PRIOR_LIVE * _share(lognormal_hazard(13.0, 0.6, n), n)
        other = PRIOR_MACHINE * _share(lognormal_hazard(18.0, 0.35, n), n)
        gone = np.zeros(n)
        gone[:4] = 0.025
        ringing = np.maximum(1.0 - np.cumsum(live + other + gone), 0.3)
        self._exposure = PRIOR_CALLS * ringing
        self._live, self._other, self._gone = PRIOR_CALLS * live, PRIOR_CALLS * other, PRIOR_CALLS * gone
        self._keep = 1.0 - 1.0 / MEMORY_ANSWERS
        self._delay = np.zeros(DELAY_BINS)
        self._delay[: 4 if info.amd else 1] = [1.0, 6.0, 2.5, 0.5] if info.amd else [10.0]
        self._other_delay = self._delay.copy()
        self._answered: dict[int, list[tuple[float, float]]] = {}
        self._ring_of_screened: dict[float, int] = {}
        self.level = Level()
        self._expected: deque[float] = deque()
        self.rebuild()

    def observe(self, s: Snapshot) -> None:
        """Take in one tick: what the calls did since the last one, and where they are now."""
        lives = 0
        for kind, t, value in s.events:
            if not (abs(t) < FOREVER_S and abs(value) < FOREVER_S):
                continue
            if kind == "answer":
                self._answered.setdefault(_call(t, value), []).append((t, value))
                self._ring_of_screened[t] = self._bin(value)
            elif kind in ("live", "machine"):
                lives += kind == "live"
                self._answer_was(kind == "live", t, value)
            elif kind in ("no_answer", "busy", "invalid"):
                self._gone[self._bin(value)] += 1.0
        lag = round(float(np.arange(DELAY_BINS) @ self._delay / self._delay.sum()) / self._tick_s)
        while len(self._expected) > lag:
            self.level.observe(lives, self._expected.popleft())
            lives = 0
        self._ringing = ages(s.now, s.ringing_since, self._rings - 1)
        self._exposure += self._tick_s * np.bincount(self._ringing, minlength=self._rings)
        # A call is first seen a tick after its dial: its first second is known from what was placed.
        self._exposure[0] += self._tick_s * max(0, s.placed)
        self._screening = [
            (self._ring_of_screened.get(t, self._rings // 2), int(e))
            for t, e in zip(s.screening_since, ages(s.now, s.screening_since, DELAY_BINS - 1), strict=True)
        ]
        if len(self._answered) > 4096 or len(self._ring_of_screened) > 4096:
            self._drop_old(s.now)
        # Calls answered by a person in the next second are seen to be so after the screening.
        answered = float(self._answer_live[self._ringing].sum())
        self._expected.append(self._tick_s * answered / self._level_in_tables)

    def live_in(self) -> tuple[Floats, Floats]:
        """P(live in the h-th second from now), per call: ringing, shape (calls, `span`), and screening, the same."""
        ringing = self._ring_live[self._ringing]
        if not self._screening:
            return ringing, np.zeros((0, self._span))
        r, e = zip(*self._screening, strict=True)
        return ringing, self._screen_live[list(r), list(e)]

    @property
    def ringing_ages(self) -> Ints:
        """Whole seconds each ringing call has rung."""
        return self._ringing

    @property
    def ring_live(self) -> Floats:
        """P(live in the h-th second from now | seconds rung). Shape (ages, `span`); row 0 is a call dialed now."""
        return self._ring_live

    def rebuild(self) -> None:
        """Work the tables out anew from what was learned."""
        n, span = self._rings, self._span
        exposure = self._smooth @ self._exposure
        live = (self._smooth @ self._live) / exposure
        other = (self._smooth @ self._other) / exposure
        gone = self._gone / np.maximum(self._exposure, 1e-9)
        # The tables hold the shape, the level alone holds the amount: else one silence would be believed twice.
        left = np.cumprod(np.concatenate(([1.0], 1.0 - np.minimum(live + other + gone, 0.95))))[:-1]
        self._level_in_tables = self.level.mean
        live *= self._level_in_tables * PRIOR_LIVE / max(float((live * left).sum()), 1e-6)
        ends = np.minimum(live + other + gone, 0.95)
        survival = np.concatenate(([1.0], np.cumprod(1.0 - ends)))
        self._answer_live = np.minimum(live, 0.9)
        density = self._answer_live * survival[:-1]
        delay = self._delay / self._delay.sum()
        # answered[a, u]: P(live answer in the u-th second from now | a seconds rung)
        answered = np.zeros((n, span))
        padded = np.concatenate((density, np.zeros(span)))
        index = np.arange(n)[:, None] + np.arange(span)[None, :]
        answered[:] = padded[index] / survival[:-1, None]
        self._ring_live = np.zeros((n, span))
        for k in range(min(DELAY_BINS, span)):
            if delay[k]:
                self._ring_live[:, k:] += delay[k] * answered[:, : span - k]
        other_delay = self._other_delay / self._other_delay.sum()
        self._screen_live = np.zeros((n, DELAY_BINS, span))
        for e in range(DELAY_BINS):
            # Seen first on the tick after the answer, so what could happen in the second of the answer has not.
            left, other_left = delay[e + 1 :].sum(), other_delay[e + 1 :].sum()
            rest = delay[e + 1 :] / left if left > 1e-3 else np.array([1.0])
            share = (live * left + 1e-6) / (live * left + other * other_left + 2e-6)
            width = min(len(rest), span)
            self._screen_live[:, e, :width] = share[:, None] * rest[None, :width]

    def _bin(self, ring_s: float) -> int:
        return min(max(int(ring_s), 0), self._rings - 1)

    def _answer_was(self, live: bool, t: float, value: float) -> None:
        """A screened call turned out: find its answer by the moment it was dialed, and learn from both."""
        waiting = self._answered.get(_call(t, value))
        if waiting:
            _, ring_s = waiting.pop(0)
            if not waiting:
                del self._answered[_call(t, value)]
            delay = self._delay if live else self._other_delay
            delay *= KEEP_DELAY
            delay[min(max(int(value) - int(ring_s), 0), DELAY_BINS - 1)] += 1.0
        else:
            ring_s = value
        for counts in (self._exposure, self._live, self._other, self._gone):
            counts *= self._keep
        (self._live if live else self._other)[self._bin(ring_s)] += 1.0

    def _drop_old(self, now: float) -> None:
        """Answers whose call ended without a result (the caller hung up during screening) are not kept."""
        oldest = now - FORGET_ANSWER_S
        self._answered = {
            key: kept for key, rings in self._answered.items() if (kept := [x for x in rings if x[0] >= oldest])
        }
        self._ring_of_screened = {t: ring for t, ring in self._ring_of_screened.items() if t >= oldest}


def _call(t: float, since_dial_s: float) -> int:
    """The moment of the dial in milliseconds: what ties the events of a call together."""
    return round((t - since_dial_s) * 1000)


def _share(hazard: Floats, n: int) -> Floats:
    """Density per second of a duration with this hazard. Shape (n,)."""
    return np.asarray(hazard * np.exp(-np.concatenate(([0.0], np.cumsum(hazard)[: n - 1]))))
