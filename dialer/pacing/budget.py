"""How many of the day's live answers may still be abandoned, and what risk per call spends just that.

The cap holds for the day as a whole, from a cold start, so a share left unused is agents waiting for nothing and a
share overspent cannot be taken back. Two loops: the share still allowed follows from what the day has seen and how
much of it is left; the risk accepted for one more call is moved until the risks accepted add up to that share.
"""

import math

# The day aims below the cap, because the last abandoned call is a whole one.
AIM = 0.97
RESERVE_CALLS = 1.0
EASE = 1.6
SHORT = 0.6
GAIN = 0.05
MIN_FACTOR, MAX_FACTOR = 0.5, 20.0
FIRST_FACTOR = 1.5
PRIOR_LIVE = 20.0
BIAS_CALLS = 6.0


class Budget:
    """The day's account of abandoned calls.

    `live_before` and `abandoned_before` are of the same day, before a restart.
    """

    def __init__(self, cap: float, shift_s: float, live_before: int = 0, abandoned_before: int = 0) -> None:
        self.cap = cap
        self._shift_s = max(shift_s, 1.0)
        self._live_before, self._abandoned_before = live_before, abandoned_before
        self.live, self.abandoned = live_before, abandoned_before
        self._factor = FIRST_FACTOR
        self._accepted = 0.0
        self._rate: float | None = None
        self._rate_t = self._rate_live = 0.0
        self.share = cap * AIM

    def observe(self, now: float, live: int, abandoned: int) -> None:
        """Totals of this run (without those before a restart) at `now`."""
        self.live = self._live_before + max(0, live)
        self.abandoned = self._abandoned_before + max(0, abandoned)
        if now - self._rate_t >= 60.0:
            got = (live - self._rate_live) / (now - self._rate_t)
            keep = 1.0 if self._rate is None else min(0.5, 60.0 / max(now, 1.0) + 60.0 / 1200.0)
            self._rate = got if self._rate is None else self._rate + keep * (got - self._rate)
            self._rate_t, self._rate_live = now, live
        left_s = max(0.0, self._shift_s - now)
        coming = (self._rate or 0.0) * left_s
        aim = self.cap * AIM
        end = self.live + coming
        spare = aim * end - self.abandoned - RESERVE_CALLS * min(1.0, now / self._shift_s * 2)
        if coming < 1.0 or self._rate is None:
            share = aim if spare > 0 or (self.live < PRIOR_LIVE and self.abandoned == 0) else 0.0
        else:
            share = spare / coming
        self.share = min(max(share, 0.0), EASE * aim)
        self._bias = (self.abandoned - self._abandoned_before + BIAS_CALLS) / (self._accepted + BIAS_CALLS)

    _bias = 1.0

    @property
    def short(self) -> bool:
        """Clearly less may be risked than an even spread over the day would allow."""
        return self.share < SHORT * self.cap * AIM or self.cap <= 0.0

    @property
    def limit(self) -> float:
        """Most abandoned calls that one more live answer may be expected to cause, a fraction."""
        return self._factor * self.share

    def accept(self, cost: float, live: float) -> None:
        """A call was dialed that turns out live with probability `live` and then costs `cost` abandoned calls."""
        self._accepted += cost * live
        if self.share > 0.0:
            error = (self.share / min(max(self._bias, 0.2), 2.0) - cost) / (self.cap * AIM)
            self._factor *= math.exp(GAIN * live * max(-3.0, min(1.5, error)))
            self._factor = min(max(self._factor, MIN_FACTOR), MAX_FACTOR)
