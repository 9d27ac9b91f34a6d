"""How likely a live answer finds no agent, at each instant ahead, given everyone now busy and every call in flight.

At an instant the places taken are: agents who will still be busy, plus calls in flight that will have turned out live
and still need their agent. Each is a yes or no with its own probability, so the number taken is a Poisson binomial
sum; an answer at that instant is lost when the sum has reached the number of agents. The tail is the refined normal
approximation (mean, variance and skewness), which holds for a handful of agents as for hundreds.
Source: Y. Hong, "On computing the distribution function for the Poisson binomial distribution", 2013.
"""

import math
from dataclasses import dataclass

from dialer.pacing.hazards import Floats

SQRT2 = math.sqrt(2.0)
SQRT2PI = math.sqrt(2.0 * math.pi)


def tail(at_least: float, mean: float, variance: float, third: float) -> float:
    """P(sum ≥ `at_least`), a fraction. `third` is the third central moment."""
    if variance < 1e-9:
        return 1.0 if mean > at_least - 0.5 else 0.0
    sd = math.sqrt(variance)
    x = (at_least - 0.5 - mean) / sd
    if x > 6.0:
        return 0.0
    if x < -6.0:
        return 1.0
    p = 0.5 * math.erfc(x / SQRT2)
    p -= third / (6.0 * sd * variance) * (1.0 - x * x) * math.exp(-x * x / 2) / SQRT2PI
    return min(max(p, 0.0), 1.0)


@dataclass(frozen=True)
class NewCall:
    """What one more call dialed now adds, per instant ahead."""

    live: float
    """P(it turns out live), a fraction."""
    arrives: list[float]
    """P(it is answered live around the instant)."""
    holds: list[float]
    """P(it is live and holds or needs an agent at the instant)."""


class Forecast:
    """The next half-minute, as moments of the places taken at each of J instants."""

    def __init__(self, agents: int, taken: Floats, calls: Floats, waiting: int, arrivals: Floats, doubt: float) -> None:
        """`taken` (agents, J) and `calls` (calls, J) are probabilities of holding a place; `arrivals` (J,) the live
        answers expected around each instant; `doubt` the relative standard error of all live answers together.
        """
        self.agents = agents
        self._calls = calls.sum(axis=0)
        self._mean = (taken.sum(axis=0) + self._calls + waiting).tolist()
        spread_taken, spread_calls = taken * (1 - taken), calls * (1 - calls)
        self._variance = (spread_taken.sum(axis=0) + spread_calls.sum(axis=0)).tolist()
        self._third = (
            (spread_taken * (1 - 2 * taken)).sum(axis=0) + (spread_calls * (1 - 2 * calls)).sum(axis=0)
        ).tolist()
        self._calls_mean = self._calls.tolist()
        self._arrivals = arrivals.tolist()
        self._doubt2 = doubt * doubt

    def cost(self, nth: int, new: NewCall) -> float:
        """Abandoned calls that the `nth` new call is expected to cause, per live answer of its own.

        It may be lost itself, or take the agent of a call that arrives after it.
        """
        if new.live <= 0.0:
            return 0.0
        before = nth - 1
        lost = weight = undisturbed = 0.0
        for j, (arrives, holds) in enumerate(zip(new.arrives, new.holds, strict=True)):
            if arrives < 1e-5 and holds < 1e-5:
                continue
            spread_new = holds * (1 - holds)
            calls = self._calls_mean[j] + before * holds
            mean = self._mean[j] + before * holds
            variance = self._variance[j] + before * spread_new + self._doubt2 * calls * calls
            third = self._third[j] + before * spread_new * (1 - 2 * holds)
            full = tail(self.agents, mean, variance, third)
            lost += arrives * full
            weight += arrives
            undisturbed += arrives * (1.0 - full)
            coming = self._arrivals[j] + before * arrives
            if undisturbed > 1e-6 and coming > 1e-6:
                # Its agent is the last one and another call comes: that one is lost in its place, once.
                last = max(0.0, tail(self.agents - 1, mean, variance, third) - full)
                taken = undisturbed * (1.0 - math.exp(-coming * last))
                lost += taken
                undisturbed -= taken
        return lost / max(weight, 1e-9)
