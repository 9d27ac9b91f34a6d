"""The estimates behind predictive pacing, against exact sums and against what was drawn."""

import random

import numpy as np
import pytest

from dialer.pacing.calls import CallsInFlight
from dialer.pacing.forecast import tail
from dialer.pacing.hazards import DurationHazard, ages, ends_within, spread
from dialer.pacing.level import Level
from tests.dialer.pacing.snapshots import EMPTY, INFO


def exact_tail(probabilities, at_least):
    distribution = np.array([1.0])
    for p in probabilities:
        distribution = np.convolve(distribution, [1 - p, p])
    return float(distribution[at_least:].sum())


@pytest.mark.parametrize("size", [12, 30, 400])
def test_the_tail_of_places_taken_is_that_of_the_exact_sum(size):
    rng = np.random.default_rng(3)
    p = rng.uniform(0.02, 0.9, size)
    moments = float(p.sum()), float((p * (1 - p)).sum()), float((p * (1 - p) * (1 - 2 * p)).sum())
    for at_least in range(size + 1):
        assert tail(at_least, *moments) == pytest.approx(exact_tail(p, at_least), abs=0.006)


def test_certain_sums_have_certain_tails():
    assert tail(5, 5.0, 0.0, 0.0) == 1.0
    assert tail(5, 4.0, 0.0, 0.0) == 0.0


def test_a_hazard_learns_when_durations_end_from_those_still_running_too():
    rng = random.Random(1)
    hazard = DurationHazard(np.full(60, 0.5), 2.0, 10_000.0, spread(1.0, 0.05, 60))
    for _ in range(2000):
        duration = rng.uniform(10.0, 20.0)
        for age in range(int(min(duration, 16.0)) + 1):
            hazard.observe(np.array([age]), 1.0)
        if duration < 16.0:
            hazard.end(duration)
    within_three = ends_within(hazard.rate(), 3).sum(axis=1)
    assert within_three[4] < 0.05
    assert within_three[12] == pytest.approx(3 / 8, abs=0.1)


def test_ages_are_whole_seconds_within_bounds():
    assert ages(10.0, [10.0, 8.5, -500.0, 12.0, float("nan")], 60).tolist() == [0, 1, 60, 0, 0]


def test_the_level_follows_a_list_that_suddenly_answers_more():
    rng = random.Random(2)
    level = Level()
    for _ in range(600):
        level.observe(int(rng.random() < 0.3), 0.3)
    assert level.mean == pytest.approx(1.0, abs=0.35)
    unsure = Level().cv
    assert level.cv < 0.5 * unsure
    for _ in range(60):
        level.observe(int(rng.random() < 0.9), 0.3)
    assert level.mean > 1.8


def test_the_share_of_live_answers_is_found_and_their_time():
    """Every second one call; four in ten are answered live after 8 s of ringing and 2 s of screening."""
    calls = CallsInFlight(INFO, 30)
    rng = random.Random(5)
    ringing, screening, events = [], [], []
    for second in range(1200):
        now = float(second)
        for dialled, good in [x for x in ringing if now - x[0] >= 8.0 and x[1]]:
            ringing.remove((dialled, good))
            screening.append((now - 0.5, dialled))
            events.append(("answer", now - 0.5, now - 0.5 - dialled))
        for answered, dialled in [x for x in screening if now - x[0] >= 2.0]:
            screening.remove((answered, dialled))
            events.append(("live", now, now - dialled))
        for dialled, good in [x for x in ringing if now - x[0] >= 30.0]:
            ringing.remove((dialled, good))
            events.append(("no_answer", now, 30.0))
        calls.observe(
            EMPTY._replace(
                now=now,
                ringing_since=[d for d, _ in ringing],
                screening_since=[a for a, _ in screening],
                placed=1,
                events=events,
            )
        )
        if second % 5 == 0:
            calls.rebuild()
        events = []
        ringing.append((now, rng.random() < 0.4))
    fresh = calls.ring_live[0]
    assert fresh.sum() == pytest.approx(0.4, abs=0.08)
    mean_s = float((fresh * (np.arange(30) + 0.5)).sum() / fresh.sum())
    assert mean_s == pytest.approx(10.0, abs=1.5)
    long_rung = calls.ring_live[20].sum()
    assert long_rung < 0.1
