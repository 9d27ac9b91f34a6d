"""How many live answers come, as a factor on how many the tables expect.

A gamma-Poisson filter with forgetting. Its spread is what makes a cold start careful: until answers have been seen,
the forecast must allow for a list that answers far better than the prior says.
"""

import math

PRIOR_EVENTS = 3.0
SLOW_EVENTS = 100.0
FAST_EVENTS = 15.0
ALARM_SIGMA = 2.5
MIN_MEAN, MAX_MEAN = 0.05, 8.0


class Level:
    """Live answers seen / expected, over about the last `SLOW_EVENTS` expected."""

    def __init__(self) -> None:
        self._seen = self._expected = self._seen_squares = PRIOR_EVENTS
        self._seen_fast = self._expected_fast = PRIOR_EVENTS

    def observe(self, seen: int, expected: float) -> None:
        """In one tick `seen` calls turned out live where the tables without the factor expected `expected`."""
        raw = max(0.0, expected)
        slow, fast = math.exp(-raw / SLOW_EVENTS), math.exp(-raw / FAST_EVENTS)
        self._seen = self._seen * slow + seen
        self._seen_squares = self._seen_squares * slow * slow + seen
        self._expected = self._expected * slow + raw
        self._seen_fast = self._seen_fast * fast + seen
        self._expected_fast = self._expected_fast * fast + raw
        ratio = self._seen / self._expected
        surprise = self._seen_fast - ratio * self._expected_fast
        if abs(surprise) > ALARM_SIGMA * math.sqrt(ratio * self._expected_fast + 1.0):
            # The list has changed: start again from the last few answers.
            self._seen, self._expected = self._seen_fast, self._expected_fast
            self._seen_squares = self._seen

    @property
    def mean(self) -> float:
        """The factor, > 0."""
        return min(max(self._seen / max(self._expected, 1e-6), MIN_MEAN), MAX_MEAN)

    @property
    def cv(self) -> float:
        """Its relative standard error, > 0: large at a cold start."""
        return min(1.0, math.sqrt(self._seen_squares) / max(self._seen, 0.1))
