"""Hazard rates per second of elapsed time, learned from what is seen each tick.

A hazard is events / exposure: how often something ended at that age, over how many seconds were spent at that age.
Durations that are still running count as exposure, so nothing is biased towards the short ones, and at a cold start
a prior stands in for what has not been seen.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def ages(now: float, since: Sequence[float], last: int) -> Ints:
    """Whole seconds elapsed since each stamp, 0 .. `last`. Stamps that are no number count as just begun."""
    if not len(since):
        return np.zeros(0, dtype=np.int64)
    elapsed = now - np.asarray(since, dtype=np.float64)
    elapsed[np.isnan(elapsed)] = 0.0
    return np.minimum(np.maximum(elapsed + 1e-6, 0.0), float(last)).astype(np.int64)


def lognormal_hazard(mean_s: float, cv: float, seconds: int) -> Floats:
    """Hazard per second of a lognormal duration, one value per second of age. Shape (`seconds`,)."""
    s2 = float(np.log1p(cv * cv))
    mu, sigma = float(np.log(mean_s)) - s2 / 2, s2**0.5
    t = np.arange(seconds) + 0.5
    density = np.exp(-((np.log(t) - mu) ** 2) / (2 * s2)) / (t * sigma * (2 * np.pi) ** 0.5)
    survival = np.maximum(1.0 - np.cumsum(density) + density / 2, 0.02)
    return np.asarray(np.minimum(density / survival, 0.9))


def spread(width_s: float, growth: float, seconds: int) -> Floats:
    """Smoothing matrix over ages: each row a Gaussian whose width grows with the age. Shape (`seconds`, `seconds`)."""
    t = np.arange(seconds) + 0.5
    width = width_s + growth * t
    kernel = np.exp(-(((t[None, :] - t[:, None]) / width[:, None]) ** 2) / 2)
    return np.asarray(kernel / kernel.sum(axis=1, keepdims=True))


class DurationHazard:
    """When something that has lasted `age` seconds will end: hazard per second for ages 0 .. `seconds` - 1.

    `memory` is the number of ended durations after which older ones have lost two thirds of their weight;
    `prior_weight` the number of durations that the prior counts for.
    """

    def __init__(self, prior: Floats, prior_weight: float, memory: float, smooth: Floats) -> None:
        self.seconds = len(prior)
        survival = np.exp(-np.concatenate(([0.0], np.cumsum(prior)[:-1])))
        self._prior_exposure = prior_weight * survival + 1e-3
        self._prior_ended = self._prior_exposure * prior
        self._exposure = np.zeros(self.seconds)
        self._ended = np.zeros(self.seconds)
        self._keep = 1.0 - 1.0 / memory
        self._smooth = smooth
        self.count = 0.0

    def observe(self, age: Ints, tick_s: float) -> None:
        """Another `tick_s` was spent at each of these ages."""
        if len(age):
            self._exposure += tick_s * np.bincount(age, minlength=self.seconds)

    def end(self, duration_s: float) -> None:
        """One ended after `duration_s`. What is no duration is passed over."""
        if not 0.0 <= duration_s < float("inf"):
            return
        self._exposure *= self._keep
        self._ended *= self._keep
        self.count = self.count * self._keep + 1.0
        self._ended[int(min(duration_s, self.seconds - 1))] += 1.0

    def rate(self) -> Floats:
        """Smoothed hazard per second by age. Shape (`seconds`,)."""
        ended = self._smooth @ (self._ended + self._prior_ended)
        exposure = self._smooth @ (self._exposure + self._prior_exposure)
        return np.asarray(ended / exposure)


def ends_within(rate: Floats, horizon_s: int) -> Floats:
    """P(ends in the u-th second from now | age), shape (ages, `horizon_s`). Beyond the last age its hazard holds."""
    n = len(rate)
    total = np.concatenate(([0.0], np.cumsum(np.concatenate((rate, np.full(horizon_s, rate[-1]))))))
    window = total[np.arange(n)[:, None] + np.arange(horizon_s + 1)[None, :]] - total[:n, None]
    survival = np.exp(-window)
    return np.asarray(survival[:, :-1] - survival[:, 1:])
