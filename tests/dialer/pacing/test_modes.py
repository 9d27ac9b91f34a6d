"""Every mode: what holds for all of them, and the two whose rule is a line of arithmetic."""

import math
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialer.pacing import power, progressive
from dialer.pacing.interface import Snapshot
from dialer.pacing.registry import FACTORIES, Mode, UnknownMode, new_pacer
from tests.dialer.pacing.snapshots import EMPTY, INFO

seconds = st.floats(min_value=-100.0, max_value=100_000.0)
stamps = st.lists(seconds, max_size=30)
counts = st.integers(min_value=0, max_value=10_000)
kinds = st.sampled_from(
    [
        *("answer", "live", "no_answer", "busy", "invalid", "machine", "connect", "abandon", "talk_end", "wrap_end"),
        *("login", "logout", "pause", "unpause", "something_new"),
    ]
)
events = st.lists(st.tuples(kinds, seconds, st.floats(allow_nan=True, allow_infinity=True)), max_size=20)
snapshots = st.builds(
    Snapshot,
    now=seconds,
    ready_since=stamps,
    talk_since=stamps,
    wrap_since=stamps,
    paused_since=stamps,
    ringing_since=stamps,
    screening_since=stamps,
    waiting_since=stamps,
    placed=counts,
    dialled=counts,
    live=counts,
    abandoned=counts,
    events=events,
)
infos = st.builds(
    INFO._replace,
    abandon_cap=st.floats(min_value=0.0, max_value=1.0),
    patience_s=st.floats(min_value=0.0, max_value=10.0),
    ring_timeout_s=st.floats(min_value=0.0, max_value=120.0),
    max_lines=st.integers(min_value=0, max_value=2000),
    max_cps=st.sampled_from([0.0, 0.2, 1.0, 7.5, 1000.0, math.inf]),
    shift_s=st.floats(min_value=0.0, max_value=50_000.0),
    amd=st.booleans(),
)


@pytest.mark.parametrize("mode", FACTORIES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(info=infos, seen=st.lists(snapshots, min_size=1, max_size=8))
def test_any_snapshots_get_a_whole_number_of_calls_and_none_without_agents(mode, info, seen):
    pacer = new_pacer(mode)
    pacer.start(info)
    for snapshot in seen:
        calls = pacer.decide(snapshot)
        assert type(calls) is int
        assert calls >= 0
        if not (snapshot.ready_since or snapshot.talk_since or snapshot.wrap_since):
            assert calls == 0


@pytest.mark.promise("D2")
@pytest.mark.parametrize("mode", FACTORIES)
def test_no_agents_no_calls(mode):
    pacer = new_pacer(mode)
    pacer.start(INFO)
    assert [pacer.decide(EMPTY._replace(now=float(t))) for t in range(120)] == [0] * 120
    on_a_pause = EMPTY._replace(now=120.0, paused_since=[3.0, 4.0])
    assert pacer.decide(on_a_pause) == 0


@pytest.mark.parametrize("mode", FACTORIES)
def test_pacing_uses_no_global_random_state(mode):
    random.seed(1)
    before = random.getstate()
    pacer = new_pacer(mode)
    pacer.start(INFO)
    pacer.decide(EMPTY._replace(ready_since=[0.0] * 5))
    assert random.getstate() == before


@pytest.mark.promise("D1")
def test_progressive_dials_once_per_free_agent_less_the_calls_in_flight():
    pacer = progressive.Pacer()
    pacer.start(INFO)
    five_ready = EMPTY._replace(ready_since=[0.0] * 5, talk_since=[0.0] * 9)
    assert pacer.decide(five_ready) == 5
    assert pacer.decide(five_ready._replace(ringing_since=[0.0, 1.0], screening_since=[2.0])) == 2
    assert pacer.decide(five_ready._replace(ringing_since=[0.0] * 7)) == 0


@pytest.mark.promise("D1")
def test_power_dials_its_ratio_per_free_agent_less_the_calls_in_flight():
    five_ready = EMPTY._replace(ready_since=[0.0] * 5)
    assert power.Pacer().decide(five_ready) == 8
    assert power.Pacer(3.0).decide(five_ready) == 15
    assert power.Pacer(3.0).decide(five_ready._replace(ringing_since=[0.0] * 4)) == 11


@pytest.mark.parametrize("ratio", [-1.0, math.nan, math.inf])
def test_power_refuses_a_ratio_that_is_no_number_of_calls(ratio):
    with pytest.raises(power.RatioOutOfRange) as refused:
        power.Pacer(ratio)
    assert "ratio" in refused.value.fields


def test_modes_are_found_by_name_and_an_unknown_one_is_named():
    assert set(FACTORIES) == set(Mode)
    with pytest.raises(UnknownMode) as refused:
        new_pacer("telepathic")
    assert refused.value.code == "pacing.unknown_mode"
    assert refused.value.params == {"mode": "telepathic"}
