"""The choice of a trunk."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callcenter.telephony.trunks import Choice, Refusal, Trunk, TrunkLimit, TrunkPool, pick_caller_id

pytestmark = pytest.mark.promise("D6")

BEIJING, LONDON = "+861012345678", "+442071234567"


def _choose(pool: TrunkPool, now: float, callee: str, exclude: frozenset[int] = frozenset()) -> int:
    found = pool.choose(now, callee, exclude)
    assert isinstance(found, Choice), found
    return found.trunk_id


def _refused(pool: TrunkPool, now: float, callee: str, exclude: frozenset[int] = frozenset()) -> TrunkLimit:
    found = pool.choose(now, callee, exclude)
    assert isinstance(found, Refusal), found
    return found.reason


def test_longest_prefix_then_priority_then_cost_then_load_decide() -> None:
    pool = TrunkPool(
        [
            Trunk(1, "any", 10, 100),
            Trunk(2, "china dear", 10, 100, ("+86",), cost=2.0),
            Trunk(3, "china cheap", 10, 100, ("+86",), cost=1.0),
            Trunk(4, "china last", 10, 100, ("+86",), priority=200, cost=0.1),
            Trunk(5, "china cheap too", 20, 100, ("+86", "+44"), cost=1.0),
        ]
    )
    assert [_choose(pool, 0, BEIJING) for _ in range(3)] == [3, 5, 5]
    assert _choose(pool, 0, "+15551234567") == 1
    assert _choose(pool, 0, LONDON) == 5


def test_failover_goes_on_to_the_next_best() -> None:
    pool = TrunkPool([Trunk(1, "a", 5, 10, priority=1), Trunk(2, "b", 5, 10, priority=2)])
    assert _choose(pool, 0, LONDON) == 1
    assert _choose(pool, 0, LONDON, frozenset({1})) == 2
    assert _refused(pool, 0, LONDON, frozenset({1, 2})) is TrunkLimit.DOWN


def test_refusal_names_the_limit() -> None:
    assert _refused(TrunkPool(), 0, LONDON) is TrunkLimit.NONE_CONFIGURED
    assert _refused(TrunkPool([Trunk(1, "a", 1, 1, enabled=False)]), 0, LONDON) is TrunkLimit.NONE_CONFIGURED
    assert _refused(TrunkPool([Trunk(1, "a", 1, 1, ("+86",))]), 0, LONDON) is TrunkLimit.NO_ROUTE
    pool = TrunkPool([Trunk(1, "a", 2, 1)])
    assert _choose(pool, 0, LONDON) == 1
    refusal = pool.choose(0.25, LONDON)
    assert refusal == Refusal(TrunkLimit.CPS, 0.75)
    assert _choose(pool, 1.0, LONDON) == 1
    assert _refused(pool, 9, LONDON) is TrunkLimit.CHANNELS
    pool.set_health(1, False)
    assert _refused(pool, 9, LONDON) is TrunkLimit.DOWN
    assert pool.free_channels(9) == 0
    pool.set_health(1, True)
    pool.release(1)
    assert _choose(pool, 9, LONDON) == 1


def test_caller_id_matches_the_callees_area() -> None:
    ours = ("+862155550000", "+861055550000", "+442055550000")
    assert pick_caller_id(BEIJING, ours) == "+861055550000"
    assert pick_caller_id(LONDON, ours) == "+442055550000"
    assert pick_caller_id("+15550000", ours) == "+862155550000"
    assert pick_caller_id(BEIJING, ()) == ""
    pool = TrunkPool([Trunk(1, "a", 9, 9, caller_ids=ours)])
    found = pool.choose(0, BEIJING)
    assert isinstance(found, Choice) and found.caller_id == "+861055550000"
    found = pool.choose(0, BEIJING, caller_id="+8610999")
    assert isinstance(found, Choice) and found.caller_id == "+8610999"


def test_number_is_written_as_the_trunk_wants_it() -> None:
    assert Trunk(1, "a", 1, 1).dialed(BEIJING) == BEIJING
    assert Trunk(1, "a", 1, 1, keep_plus=False).dialed(BEIJING) == BEIJING[1:]
    assert Trunk(1, "a", 1, 1, strip=2, prepend="0").dialed(BEIJING) == "01012345678"
    assert Trunk(1, "a", 1, 1, prepend="00").dialed(LONDON) == "00442071234567"


def test_trunk_that_is_removed_in_a_call_is_forgotten_with_it() -> None:
    pool = TrunkPool([Trunk(1, "a", 5, 10)])
    _choose(pool, 0, LONDON)
    pool.set_trunks([])
    assert _refused(pool, 0, LONDON) is TrunkLimit.NONE_CONFIGURED
    pool.release(1)
    with pytest.raises(ValueError, match="no channel"):
        pool.release(1)


def test_channels_of_taken_up_and_inbound_legs_count() -> None:
    pool = TrunkPool([Trunk(1, "a", 2, 10)])
    pool.take(1)
    pool.take(1)
    assert pool.in_use(1) == 2
    assert _refused(pool, 0, LONDON) is TrunkLimit.CHANNELS


def test_a_slow_trunk_lets_a_call_go_every_few_seconds() -> None:
    pool = TrunkPool([Trunk(1, "a", 99, 0.5)])
    began = [t / 10 for t in range(100) if isinstance(pool.choose(t / 10, LONDON), Choice)]
    assert began == [0.0, 2.0, 4.0, 6.0, 8.0]


trunks = st.builds(
    Trunk,
    trunk_id=st.integers(1, 4),
    name=st.just("t"),
    channels=st.integers(0, 6),
    cps=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    prefixes=st.sampled_from([("",), ("+86",), ("+44", "+86")]),
    priority=st.integers(1, 2),
)
steps = st.one_of(
    st.tuples(st.just("call"), st.sampled_from([BEIJING, LONDON])),
    st.tuples(st.just("end"), st.integers(0, 50)),
    st.tuples(st.just("wait"), st.floats(0, 1.5)),
    st.tuples(st.just("health"), st.integers(1, 4)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(trunks, max_size=4, unique_by=lambda t: t.trunk_id), st.lists(steps, max_size=120))
def test_limits_are_never_exceeded_and_every_channel_comes_back(given_trunks: list[Trunk], plan: list[tuple]) -> None:
    pool = TrunkPool(given_trunks)
    by_id = {trunk.trunk_id: trunk for trunk in given_trunks}
    up = dict.fromkeys(by_id, True)
    now, live, starts = 0.0, list[int](), {trunk_id: list[float]() for trunk_id in by_id}
    for what, value in plan:
        if what == "wait":
            now += value
        elif what == "end" and live:
            pool.release(live.pop(value % len(live)))
        elif what == "health" and value in up:
            up[value] = not up[value]
            pool.set_health(value, up[value])
        elif what == "call":
            found = pool.choose(now, value)
            if isinstance(found, Choice):
                live.append(found.trunk_id)
                starts[found.trunk_id].append(now)
                assert up[found.trunk_id]
        for trunk_id, trunk in by_id.items():
            assert pool.in_use(trunk_id) == live.count(trunk_id) <= trunk.channels
            burst = max(1.0, trunk.cps) if trunk.cps else 0.0
            for first, start in enumerate(starts[trunk_id]):
                in_window = len(starts[trunk_id]) - first
                assert in_window <= burst + (now - start) * trunk.cps + 1e-6
    for trunk_id in live:
        pool.release(trunk_id)
    assert all(pool.in_use(trunk_id) == 0 for trunk_id in by_id)
    assert pool.free_channels(now) == sum(t.channels for t in given_trunks if up[t.trunk_id])
