"""Predictive pacing through whole simulated shifts, seeded: the cap is kept and agents wait little."""

from collections import Counter

import pytest

from dialer.pacing import predictive, progressive
from dialer.pacing.predictive import CapOutOfRange, Limit
from tests.dialer.pacing.snapshots import EMPTY, INFO
from tests.sim.shift import Day, Shift


def agents(n):
    return lambda t: n


def live(share):
    return lambda t: share


@pytest.mark.promise("D2")
@pytest.mark.parametrize("seed", [1, 2])
def test_twenty_five_agents_on_a_drifting_list_stay_under_the_cap_and_wait_less_than_with_progressive(seed):
    def drifting(t):
        return 0.18 if t < 1200 else 0.35 if t < 2400 else 0.15

    day = Day(agents(25), drifting, shift_s=3600.0)
    ours = Shift(day, predictive.Pacer(), seed).run()
    one_by_one = Shift(day, progressive.Pacer(), seed).run()
    assert ours.live > 400
    assert ours.abandon_rate <= 0.03
    assert ours.occupancy > 1.3 * one_by_one.occupancy


@pytest.mark.promise("D2")
@pytest.mark.parametrize(("team", "share"), [(5, 0.15), (40, 0.55)])
def test_a_cold_start_does_not_burn_the_day(team, share):
    shift = Shift(Day(agents(team), live(share), shift_s=900.0), predictive.Pacer(), seed=4)
    outcome = shift.run()
    assert outcome.connected > 0
    # The cap is the day's: a quarter of an hour may take a few calls of it, never a burst.
    assert outcome.abandoned <= 2 + 0.03 * outcome.live


def test_a_small_team_keeps_the_cap_over_its_days_and_no_day_is_far_over():
    days = [Shift(Day(agents(5), live(0.3), shift_s=4800.0), predictive.Pacer(), seed).run() for seed in (1, 2)]
    assert sum(d.abandoned for d in days) / sum(d.live for d in days) <= 0.03
    assert all(d.abandon_rate <= 0.045 for d in days)
    assert all(d.occupancy > 0.6 for d in days)


def test_no_call_is_asked_for_beyond_lines_or_calls_per_second():
    pacer = predictive.Pacer()
    day = Day(agents(30), live(0.15), shift_s=900.0, max_lines=45, max_cps=2.0)
    limits = set()

    def watch(snapshot, calls):
        lines = sum(
            map(len, (snapshot.ringing_since, snapshot.screening_since, snapshot.waiting_since, snapshot.talk_since))
        )
        assert calls <= 2
        assert lines + calls <= 45
        limits.add(pacer.explain().limit)

    outcome = Shift(day, pacer, seed=5, on_tick=watch).run()
    assert outcome.dialled == outcome.asked
    assert {Limit.LINES, Limit.CALLS_PER_SECOND} <= limits


@pytest.mark.promise("D2")
def test_a_restart_in_the_middle_of_the_day_keeps_the_cap():
    """The morning overspent; the engine restarts, is told so, and the rest of the day makes up for it."""
    morning_live, morning_abandoned = 400, 15
    day = Day(agents(20), live(0.25), shift_s=3600.0)
    rest = Shift(day, predictive.Pacer(morning_live, morning_abandoned), seed=6).run()
    unaware = Shift(day, predictive.Pacer(), seed=6).run()
    assert (morning_abandoned + rest.abandoned) / (morning_live + rest.live) <= 0.03
    assert rest.abandoned < unaware.abandoned
    assert rest.live > 200


def test_a_spent_account_still_dials_one_call_per_ready_agent_and_says_why_no_more():
    pacer = predictive.Pacer(live_before=100, abandoned_before=50)
    pacer.start(INFO)
    calls = pacer.decide(EMPTY._replace(ready_since=[0.0] * 4, ringing_since=[0.0]))
    assert calls == 3
    assert pacer.explain().abandon_rate == 0.5


def test_the_cap_can_be_changed_while_dialing():
    day = Day(agents(20), live(0.25), shift_s=2400.0)
    pacer = predictive.Pacer()

    def tighten(snapshot, calls):
        if snapshot.now == 300.0:
            pacer.set_abandon_cap(0.01)

    tight = Shift(day, pacer, seed=7, on_tick=tighten).run()
    loose = Shift(day, predictive.Pacer(), seed=7).run()
    assert pacer.explain().abandon_cap == 0.01
    assert tight.abandon_rate <= 0.012 < loose.abandon_rate


@pytest.mark.parametrize("cap", [-0.1, 1.5, float("nan")])
def test_a_cap_that_is_no_fraction_is_refused_and_changes_nothing(cap):
    pacer = predictive.Pacer()
    pacer.start(INFO)
    with pytest.raises(CapOutOfRange):
        pacer.set_abandon_cap(cap)
    pacer.decide(EMPTY)
    assert pacer.explain().abandon_cap == INFO.abandon_cap


def test_lines_can_be_taken_away_while_dialing():
    pacer = predictive.Pacer()
    pacer.start(INFO)
    ready = EMPTY._replace(ready_since=[0.0] * 10)
    assert pacer.decide(ready) > 0
    pacer.set_limits(max_lines=0, max_cps=10.0)
    assert pacer.decide(ready._replace(now=1.0)) == 0
    assert pacer.explain().limit is Limit.LINES


def test_the_reason_names_the_limit_in_force():
    pacer = predictive.Pacer()
    assert pacer.explain() is None
    pacer.start(INFO)
    pacer.decide(EMPTY)
    assert pacer.explain().limit is Limit.NO_AGENTS
    pacer.decide(EMPTY._replace(now=1.0, ready_since=[0.5] * 3))
    reason = pacer.explain()
    assert reason.limit is Limit.WARM_UP
    assert reason.agents_ready == 3
    assert reason.dialing > 0
    assert reason.risk > reason.risk_limit


@pytest.mark.promise("D2")
@pytest.mark.parametrize(
    ("before", "named"),
    [((1000, 0), Limit.ENOUGH_IN_FLIGHT), ((1000, 60), Limit.ABANDON_CAP)],
    ids=["fresh", "overspent"],
)
def test_a_warm_campaign_names_the_calls_in_flight_or_the_cap(before, named):
    limits = []
    pacer = predictive.Pacer(*before)
    Shift(
        Day(agents(25), live(0.25), shift_s=600.0),
        pacer,
        seed=8,
        on_tick=lambda snapshot, calls: limits.append(pacer.explain().limit),
    ).run()
    assert Counter(limits[120:]).most_common(1)[0][0] is named


def test_the_same_shift_twice_is_the_same_to_the_call():
    day = Day(agents(12), live(0.3), shift_s=900.0)
    decisions = []
    for _ in range(2):
        made = []
        Shift(day, predictive.Pacer(), seed=9, on_tick=lambda s, n, made=made: made.append(n)).run()
        decisions.append(made)
    assert decisions[0] == decisions[1]


def test_agents_who_leave_at_the_end_of_the_shift_leave_nobody_waiting():
    """Staff goes home in two steps: dialing stops with the last agent."""

    def staff(t):
        return 20 if t < 600 else 6 if t < 1200 else 0

    calls_without_agents = []

    def watch(snapshot, calls):
        if not (snapshot.ready_since or snapshot.talk_since or snapshot.wrap_since):
            calls_without_agents.append(calls)

    Shift(Day(staff, live(0.3), shift_s=1800.0), predictive.Pacer(), seed=10, on_tick=watch).run()
    assert len(calls_without_agents) > 100
    assert not any(calls_without_agents)
