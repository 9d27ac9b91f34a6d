"""Figures of boards and their thresholds, pure."""

from __future__ import annotations

import random

import pytest

from callcenter.metrics.alerts import Level, Threshold, Watch
from callcenter.metrics.figures import FIGURES, figure


def test_a_level_is_told_once_it_has_lasted_and_ends_the_same_way() -> None:
    watch = Watch(Threshold(warn=3, bad=6, for_s=5))
    told = [
        (t, watch.see(v, t)) for t, v in [(0, 1), (1, 4), (4, 4), (6, 4), (7, 8), (12, 8), (13, 1), (17, 1), (18, 1)]
    ]
    assert [(t, level) for t, level in told if level is not None] == [
        (6, Level.WARN), (12, Level.BAD), (18, Level.OK),
    ]  # fmt: skip


def test_a_figure_that_swings_around_its_threshold_tells_nothing() -> None:
    rng = random.Random(3)
    watch = Watch(Threshold(bad=0.8, above=False, for_s=5))
    assert not [s for t in range(600) if (s := watch.see(0.9 if t % 3 else rng.random() * 0.7, float(t)))]


def test_below_is_wrong_where_the_threshold_says_so_and_no_figure_is_no_trouble() -> None:
    service_level = Threshold(warn=0.8, bad=0.6, above=False)
    assert [service_level.level(v) for v in (None, 0.9, 0.8, 0.6)] == [0, 0, 1, 2]


@pytest.mark.promise("V1")
def test_figures_are_read_from_the_live_documents() -> None:
    queue = {"waiting": [{}, {}], "longest_wait_since": 90.0, "service_level": 0.75, "answered": 8, "abandoned": 2}
    assert figure("queue", "waiting", queue, 100.0) == 2
    assert figure("queue", "longest_wait", queue, 100.0) == 10
    assert figure("queue", "abandon_rate", queue, 100.0) == 0.2
    agents = {f"agent:{i}": {"state": s, "since": 70.0} for i, s in enumerate(["available", "on_call", "wrap_up"])}
    assert figure("agents", "occupancy", agents, 100.0) == pytest.approx(2 / 3)
    assert figure("agents", "longest_call", agents, 100.0) == 30
    for subject, metrics in FIGURES.items():
        for metric in metrics:
            assert figure(subject, metric, None, 0.0) is None
            figure(subject, metric, {}, 0.0)  # an empty document breaks none
