"""Queues in simulated shifts: against Erlang's formulas, and whether anybody is forgotten."""

from __future__ import annotations

from random import Random

import pytest

from callcenter.acd.queues import Free
from callcenter.acd.settings import QueueSettings, SkillNeed, Strategy
from tests.sim.acd import SILENT, START, Callers, Floor, Ride, Shift, measure, one_queue, promises
from tests.sim.erlang import birth_and_death, erlang_a, erlang_c_wait_s

SERVICE_S = 120.0


@pytest.mark.parametrize(("agents", "load"), [(5, 0.8), (10, 1.0), (30, 1.1), (100, 0.97)])
def test_the_closed_form_of_erlang_a_is_that_of_the_stationary_states(agents: int, load: float) -> None:
    per_s = load * agents / SERVICE_S
    closed, states = erlang_a(agents, per_s, SERVICE_S, 90.0), birth_and_death(agents, per_s, SERVICE_S, 90.0)
    assert closed == pytest.approx(states, rel=1e-9)


@pytest.mark.promise("I3")
@pytest.mark.parametrize(("agents", "load", "calls", "seed"), [(5, 0.6, 120_000, 1), (10, 0.7, 120_000, 1)])
def test_the_mean_wait_is_that_of_erlang_c(agents: int, load: float, calls: int, seed: int) -> None:
    per_s = load * agents / SERVICE_S
    seen = measure(Shift(one_queue(agents, per_s, SERVICE_S), calls, seed).run())
    assert seen.gave_up == 0
    assert seen.wait_s == pytest.approx(erlang_c_wait_s(agents, per_s, SERVICE_S), rel=0.03)


@pytest.mark.promise("I3")
@pytest.mark.parametrize(("agents", "load", "patience_s", "seed"), [(5, 0.8, 60.0, 2), (10, 1.0, 120.0, 1)])
def test_waits_and_hang_ups_of_impatient_callers_are_those_of_erlang_a(
    agents: int, load: float, patience_s: float, seed: int
) -> None:
    per_s = load * agents / SERVICE_S
    seen = measure(Shift(one_queue(agents, per_s, SERVICE_S, patience_s), 100_000, seed).run())
    gave_up, wait_s = erlang_a(agents, per_s, SERVICE_S, patience_s)
    assert seen.gave_up == pytest.approx(gave_up, rel=0.03)
    assert seen.wait_s == pytest.approx(wait_s, rel=0.03)


@pytest.mark.promise("I4")
def test_the_promised_wait_errs_little_more_than_one_must_who_knows_all_rates() -> None:
    told = promises(Shift(one_queue(20, 0.9 * 20 / SERVICE_S, SERVICE_S), 30_000, 1).run(), 20, SERVICE_S)
    assert told.told > 10_000
    assert told.error < 1.05 * told.least_error
    assert abs(told.bias) < 0.05


@pytest.mark.promise("I4")
def test_the_promised_wait_counts_on_those_who_give_up() -> None:
    patience_s, agents = 120.0, 10
    floor = one_queue(agents, 1.1 * agents / SERVICE_S, SERVICE_S, patience_s)
    patient = Callers(1, 0.02 * agents / SERVICE_S)  # a few who wait to the end tell how long it takes
    rides = Shift(Floor(floor.queues, floor.agents, [*floor.callers, patient], SERVICE_S), 40_000, 1).run()
    told = promises(rides, agents, SERVICE_S, patience_s, stream=1)
    assert told.told > 300
    assert told.error < 1.05 * told.least_error
    assert abs(told.bias) < 0.08


def crowded(strategy: Strategy = Strategy.LONGEST_IDLE) -> Floor:
    """Three queues at the edge of what eight agents can do: VIPs, German speakers, everybody else."""
    queues = [
        QueueSettings(1, "Service", waiting=SILENT, strategy=strategy),
        QueueSettings(2, "VIP", waiting=SILENT, priority=5, strategy=strategy),
        QueueSettings(
            3, "German", waiting=SILENT, strategy=strategy, skills=(SkillNeed("de", 5, relax_every_s=60, at_least=1),)
        ),
    ]
    agents = [
        Free(n, START, frozenset({1, 2, 3} if n % 2 else {1, 3}), {"de": n} if n > 3 else {}) for n in range(1, 9)
    ]
    callers = [Callers(1, 0.030), Callers(2, 0.018), Callers(3, 0.016), Callers(1, 0.001, priority=-4)]
    return Floor(queues, agents, callers, SERVICE_S)


def waits(rides: list[Ride], stream: int) -> list[float]:
    return [r.waited_s for r in rides if r.stream == stream]


@pytest.mark.promise("I3")
def test_nobody_is_overtaken_by_who_came_later_than_the_priorities_make_up_for() -> None:
    rides = Shift(crowded(), 20_000, 7).run()
    assert all(r.agent is not None for r in rides)
    # The lowest priority (−4) against the highest (5), at one a minute: whoever comes nine minutes later stays behind.
    low = [r for r in rides if r.stream == 3]
    taken = sorted((r.came + r.waited_s, r.came, r.stream) for r in rides if r.stream in (0, 1))
    assert len(low) > 200
    for ride in low:
        answered = ride.came + ride.waited_s
        before = [came for at, came, _ in taken if ride.came < at < answered]
        assert max(before, default=0.0) <= ride.came + 9 * 60 + 1e-6
    assert max(waits(rides, 3)) < max(waits(rides, 0)) + 9 * 60 + SERVICE_S * 8


@pytest.mark.parametrize("strategy", list(Strategy))
def test_no_caller_waits_while_somebody_is_free_who_may_take_him(strategy: Strategy) -> None:
    def nothing_left(shift: Shift) -> None:
        assert shift.queues.pairs(shift.free, shift.now, Random(0)) == []

    rides = Shift(crowded(strategy), 1500, 3, check=nothing_left).run()
    assert all(r.agent is not None for r in rides)


def test_the_work_is_shared_evenly_by_longest_idle_and_by_fewest_calls() -> None:
    for strategy, most in ((Strategy.LONGEST_IDLE, 1.10), (Strategy.FEWEST_CALLS, 1.02)):
        floor = one_queue(10, 0.6 * 10 / SERVICE_S, SERVICE_S)
        queue = QueueSettings(1, "Service", waiting=SILENT, strategy=strategy)
        rides = Shift(Floor([queue], floor.agents, floor.callers, SERVICE_S), 10_000, 5).run()
        taken = [sum(r.agent == a.user_id for r in rides) for a in floor.agents]
        assert max(taken) / (len(rides) / 10) < most


def test_the_same_seed_gives_the_same_shift() -> None:
    one, again = (Shift(crowded(), 500, 9).run() for _ in range(2))
    assert one == again
