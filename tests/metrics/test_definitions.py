"""What the figures mean."""

from __future__ import annotations

import pytest

from callcenter.metrics import definitions as d
from callcenter.metrics.definitions import Metric, QueueFigures, Stay, queue_figures


@pytest.mark.promise("V1")
def test_each_figure_is_its_formula_and_none_over_nothing() -> None:
    assert d.service_level(8, 9, 1) == 0.8
    assert d.abandon_rate(9, 1) == 0.1
    assert d.asa_s(90.0, 9) == 10.0
    assert d.aht_s(300.0, 60.0, 3) == 120.0
    assert d.occupancy(45.0, 15.0) == 0.75
    assert d.longest_wait_s([100.0, 70.0, 99.0], 130.0) == 60.0
    assert d.service_level(0, 0, 0) is d.abandon_rate(0, 0) is d.asa_s(0, 0) is d.aht_s(0, 0, 0) is None
    assert d.occupancy(0, 0) is d.longest_wait_s([], 5.0) is None


def test_stays_are_folded_into_a_queues_figures() -> None:
    stays = [
        Stay("connected", 10.0, in_target=True, talk_s=100.0, wrap_up_s=20.0),
        Stay("connected", 50.0, talk_s=200.0),
        Stay("abandoned", 70.0),
        Stay("overflow", 300.0),
        Stay("callback", 60.0),
        Stay("voicemail", 5.0),
        Stay("", 0.0),
    ]
    assert queue_figures(stays) == QueueFigures(
        offered=7,
        answered=2,
        answered_in_target=1,
        abandoned=1,
        overflowed=1,
        callbacks=1,
        other=1,
        waiting=1,
        service_level=pytest.approx(1 / 3),
        abandon_rate=pytest.approx(1 / 3),
        asa_s=30.0,
        aht_s=160.0,
        longest_wait_s=300.0,
    )
    assert queue_figures([]) == QueueFigures()


def test_every_figure_with_a_help_text_has_a_formula() -> None:
    names = {m.value for m in Metric}
    assert {n.removesuffix("_s") for n in names} == names
    assert all(hasattr(d, n) or hasattr(d, f"{n}_s") for n in names)
