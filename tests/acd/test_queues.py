"""Which agent gets which call, and in which order callers wait."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callcenter.acd.queues import Free, FreeAgents, Queues, UnknownCall, UnknownQueue
from callcenter.acd.settings import Member, QueueSettings, SkillNeed, Strategy
from tests.acd import scan

T = 1_700_000_000.0
RNG = Random(5)


def queues(*of: QueueSettings) -> Queues:
    out = Queues()
    for s in of:
        out.settle(s)
    return out


def free(user_id: int, since: float = 0.0, queues: Iterable[int] = (1,), **more: object) -> Free:
    return Free(user_id, T + since, frozenset(queues), **more)


# ------------------------------------------------------------------------------------------------------------- order


def test_the_longest_waiting_caller_is_next_and_positions_count_from_one() -> None:
    q = queues(QueueSettings(1, "Service"))
    q.enter("b", 1, T + 5, since=T + 5)
    q.enter("a", 1, T + 9, since=T + 2)  # keeps the place it had elsewhere
    assert q.order(1) == ["a", "b"]
    assert [q.position(c) for c in ("a", "b")] == [1, 2]
    assert q.longest_since(1) == T + 2


def test_a_higher_priority_goes_first_until_the_other_has_waited_for_the_difference() -> None:
    q = queues(QueueSettings(1, "Service", ageing_per_min=1.0))
    q.enter("old", 1, T, since=T)
    q.enter("vip soon", 1, T + 60, since=T + 60, priority=2)
    q.enter("vip late", 1, T + 180, since=T + 180, priority=2)
    assert q.order(1) == ["vip soon", "old", "vip late"]


def test_callers_of_several_queues_are_compared_by_priority_and_wait() -> None:
    q = queues(QueueSettings(1, "Service"), QueueSettings(2, "Sales", priority=3))
    q.enter("service", 1, T, since=T)
    q.enter("sales", 2, T + 60, since=T + 60)
    both = free(7, queues=(1, 2))
    assert q.call_for(both, [], T + 61, RNG) == "sales"  # 3 against 1 minute
    q = queues(QueueSettings(1, "Service"), QueueSettings(2, "Sales", priority=3))
    q.enter("service", 1, T, since=T)
    q.enter("sales", 2, T + 240, since=T + 240)
    assert q.call_for(both, [], T + 241, RNG) == "service"  # four minutes have outgrown it


def test_a_call_that_rings_keeps_its_place_and_is_offered_to_nobody_else() -> None:
    q = queues(QueueSettings(1, "Service"))
    q.enter("a", 1, T, since=T)
    q.enter("b", 1, T + 1, since=T + 1)
    q.offering("a", 7)
    assert q.order(1) == ["a", "b"]
    assert q.offered_to("a") == 7
    assert q.agent_for("a", [free(8)], T + 2, RNG) is None
    assert q.call_for(free(8), [], T + 2, RNG) == "b"
    q.offering("a", None)
    assert q.call_for(free(8), [], T + 2, RNG) == "a"


@given(
    st.lists(
        st.tuples(st.integers(0, 600), st.integers(0, 3), st.sampled_from(["", "de", "fr"])), min_size=1, max_size=40
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None)
def test_calls_entered_again_after_a_restart_stand_as_they_stood(
    calls: list[tuple[int, int, str]], shuffled: Random
) -> None:
    first, again = queues(QueueSettings(1, "Service")), queues(QueueSettings(1, "Service"))
    named = [(f"c{n}", *call) for n, call in enumerate(calls)]
    for call_id, at, priority, skill in named:
        own = {skill: 3} if skill else {}
        first.enter(call_id, 1, T + 600, since=T + at, priority=priority, skills=own)
    shuffled.shuffle(named)
    for call_id, at, priority, skill in named:
        own = {skill: 3} if skill else {}
        again.enter(call_id, 1, T + 700, since=T + at, priority=priority, skills=own)
    assert again.order(1) == first.order(1)
    assert [again.position(c) for c in again.order(1)] == list(range(1, len(calls) + 1))


def test_new_settings_keep_the_callers_and_order_them_anew() -> None:
    q = queues(QueueSettings(1, "Service", ageing_per_min=10.0))
    q.enter("old", 1, T, since=T)
    q.enter("vip", 1, T + 60, since=T + 60, priority=5)
    assert q.order(1) == ["old", "vip"]
    q.settle(QueueSettings(1, "Service", ageing_per_min=1.0))
    assert q.order(1) == ["vip", "old"]
    assert q.drop(1) == ["vip", "old"]
    assert q.drop(1) == []
    assert not q.leave("vip")


def test_a_call_moves_from_queue_to_queue_and_is_in_one_at_a_time() -> None:
    q = queues(QueueSettings(1, "Service"), QueueSettings(2, "Sales"))
    q.enter("a", 1, T, since=T)
    q.enter("a", 2, T + 60, since=T)
    assert (q.length(1), q.length(2), q.queue_of("a")) == (0, 1, 2)
    assert q.taken("a", 7, T + 61)
    assert not q.taken("a", 7, T + 61)
    assert not q.abandoned("a", T + 61)
    assert q.queue_of("a") is None


def test_unknown_queues_and_calls_are_named_and_change_nothing() -> None:
    q = queues(QueueSettings(1, "Service"))
    q.enter("a", 1, T, since=T)
    with pytest.raises(UnknownQueue):
        q.enter("a", 9, T, since=T)
    with pytest.raises(UnknownCall):
        q.agent_for("b", [free(1)], T, RNG)
    with pytest.raises(UnknownQueue):
        q.length(9)
    assert q.order(1) == ["a"]


# ----------------------------------------------------------------------------------------------------------- skills


DE = QueueSettings(1, "Service", skills=(SkillNeed("de", 5, relax_every_s=30, at_least=2),))


def test_a_need_falls_level_by_level_with_the_wait_and_not_below_its_floor() -> None:
    q = queues(DE)
    q.enter("a", 1, T, since=T)
    fluent, some, little = (free(n, skills={"de": level}) for n, level in ((1, 5), (2, 3), (3, 1)))
    assert q.agent_for("a", [some, little], T, RNG) is None
    assert q.agent_for("a", [fluent, some], T, RNG) == 1
    assert q.agent_for("a", [some, little], T + 59.9, RNG) is None
    assert q.agent_for("a", [some, little], T + 60, RNG) == 2
    assert q.agent_for("a", [little], T + 3000, RNG) is None


def test_an_agent_gets_the_first_caller_whose_needs_he_meets() -> None:
    q = queues(QueueSettings(1, "Service"))
    q.enter("german", 1, T, since=T, skills={"de": 8})
    q.enter("anyone", 1, T + 1, since=T + 1)
    assert q.call_for(free(1), [], T + 2, RNG) == "anyone"
    assert q.call_for(free(2, skills={"de": 8}), [], T + 2, RNG) == "german"


def test_a_need_that_nobody_meets_does_not_hold_a_caller_for_ever() -> None:
    q = queues(QueueSettings(1, "Service"))
    q.enter("a", 1, T, since=T, skills={"eo": 3})
    assert q.agent_for("a", [free(1)], T + 179, RNG) is None
    assert q.agent_for("a", [free(1)], T + 180, RNG) == 1


def test_a_better_suited_free_agent_goes_first() -> None:
    q = queues(QueueSettings(1, "Service", members=(Member(1), Member(2, penalty=1))))
    q.enter("a", 1, T, since=T)
    q.enter("b", 1, T + 1, since=T + 1)
    helper, first = free(2), free(1)
    assert q.call_for(helper, [first, helper], T + 2, RNG) is None
    assert q.call_for(first, [first, helper], T + 2, RNG) == "a"
    assert q.call_for(helper, [helper], T + 2, RNG) == "a"


def test_everything_that_can_be_given_out_is_given_out_at_once() -> None:
    q = queues(QueueSettings(1, "Service"), QueueSettings(2, "Sales", priority=1))
    for n in range(4):
        q.enter(f"s{n}", 1, T + n, since=T + n)
    q.enter("german", 1, T, since=T, skills={"de": 9}, priority=9)
    q.enter("sale", 2, T + 9, since=T + 9)
    agents = [free(1, 1), free(2, 2), free(3, 3, queues=(1, 2))]
    assert q.pairs(agents, T + 10, RNG) == [("sale", 3), ("s0", 1), ("s1", 2)]
    assert q.order(1)[0] == "german"


# ------------------------------------------------------------------------------------------------------- strategies


def asked(strategy: Strategy, agents: list[Free], **of: object) -> int | None:
    q = queues(QueueSettings(1, "Service", strategy=strategy, **of))
    q.enter("a", 1, T, since=T)
    return q.agent_for("a", agents, T + 1, RNG)


def test_longest_idle_asks_who_has_been_free_longest() -> None:
    assert asked(Strategy.LONGEST_IDLE, [free(1, -5), free(2, -9), free(3, -1)]) == 2


def test_fewest_calls_asks_who_has_taken_least_from_this_queue() -> None:
    agents = [free(1, taken={1: 4}), free(2, taken={1: 3, 2: 50}), free(3, taken={1: 9})]
    assert asked(Strategy.FEWEST_CALLS, agents) == 2


def test_round_robin_goes_around_by_turns() -> None:
    q = queues(QueueSettings(1, "Service", strategy=Strategy.ROUND_ROBIN))
    turns = []
    for n in range(5):
        q.enter(f"c{n}", 1, T + n, since=T + n)
        agent = q.agent_for(f"c{n}", [free(3), free(1), free(2)], T + n, RNG)
        assert agent is not None
        q.offering(f"c{n}", agent)
        q.taken(f"c{n}", agent, T + n)
        turns.append(agent)
    assert turns == [1, 2, 3, 1, 2]


def test_skill_best_asks_the_best_though_less_would_do() -> None:
    agents = [
        free(1, -99, skills={"de": 5, "vip": 1}),
        free(2, skills={"de": 9, "vip": 1}),
        free(3, skills={"vip": 10}),
    ]
    needs = (SkillNeed("de", 4), SkillNeed("vip", 1))
    assert asked(Strategy.SKILL_BEST, agents, skills=needs) == 2


def test_percentage_splits_the_day_by_shares() -> None:
    members = (Member(1, share=70), Member(2, share=30), Member(3, share=0))
    q = queues(QueueSettings(1, "Service", strategy=Strategy.PERCENTAGE, members=members))
    taken = {1: 0, 2: 0, 3: 0}
    for n in range(1000):
        q.enter(f"c{n}", 1, T + n, since=T + n)
        agent = q.agent_for(f"c{n}", [free(u, taken={1: taken[u]}) for u in taken], T + n, RNG)
        assert agent is not None
        q.taken(f"c{n}", agent, T + n)
        taken[agent] += 1
    assert taken == {1: 700, 2: 300, 3: 0}


def test_sticky_asks_who_spoke_with_this_caller_last_while_it_holds() -> None:
    q = queues(QueueSettings(1, "Service", strategy=Strategy.STICKY, sticky_s=3600))
    q.enter("first", 1, T, since=T, phone="+86138")
    q.taken("first", 2, T + 1)
    agents = [free(1, -99), free(2)]
    q.enter("again", 1, T + 600, since=T + 600, phone="+86138")
    assert q.agent_for("again", agents, T + 600, RNG) == 2
    assert q.agent_for("again", agents[:1], T + 600, RNG) == 1  # he is busy: the longest idle
    q.leave("again")
    q.enter("late", 1, T + 3700, since=T + 3700, phone="+86138")
    assert q.agent_for("late", agents, T + 3700, RNG) == 1


def test_what_is_known_of_older_calls_counts_until_the_queue_knows_better() -> None:
    q = queues(QueueSettings(1, "Service", strategy=Strategy.STICKY, sticky_s=3600))
    agents = [free(1, -99), free(2), free(3)]
    q.enter("a", 1, T, since=T, phone="+86138", spoke=(3, T - 3000))
    assert q.agent_for("a", agents, T, RNG) == 3
    assert q.agent_for("a", agents, T + 601, RNG) == 1  # too long ago by now
    q.taken("a", 2, T + 700)
    q.enter("b", 1, T + 800, since=T + 800, phone="+86138", spoke=(3, T - 3000))
    assert q.agent_for("b", agents, T + 800, RNG) == 2


def test_an_agent_named_by_the_menu_is_asked_first_under_any_strategy() -> None:
    q = queues(QueueSettings(1, "Service", strategy=Strategy.FEWEST_CALLS, members=(Member(2, penalty=3),)))
    q.enter("a", 1, T, since=T, sticky_agent=2)
    assert q.agent_for("a", [free(1), free(2, taken={1: 99})], T, RNG) == 2


def test_rings_of_penalty_are_asked_one_after_the_other() -> None:
    members = (Member(1, penalty=2), Member(2, penalty=1), Member(3, penalty=1))
    agents = [free(1, -99), free(2, -5), free(3, -9)]
    assert asked(Strategy.LONGEST_IDLE, agents, members=members) == 3
    assert asked(Strategy.LONGEST_IDLE, agents[:1], members=members) == 1


def test_who_is_over_the_cap_of_utilisation_is_asked_last_and_still_asked() -> None:
    agents = [free(1, -99, utilisation=0.9), free(2, utilisation=0.5)]
    members = (Member(1), Member(2, penalty=9))
    assert asked(Strategy.LONGEST_IDLE, agents, members=members, utilisation_cap=0.85) == 2
    assert asked(Strategy.LONGEST_IDLE, agents[:1], members=members, utilisation_cap=0.85) == 1
    assert asked(Strategy.LONGEST_IDLE, agents, members=members) == 1


def test_agents_alike_in_everything_are_drawn_by_the_given_chance() -> None:
    q = queues(QueueSettings(1, "Service"))
    q.enter("a", 1, T, since=T)
    drawn = [q.agent_for("a", [free(n) for n in (3, 1, 2)], T, Random(seed)) for seed in range(40)]
    assert set(drawn) == {1, 2, 3}
    assert drawn == [q.agent_for("a", [free(n) for n in (1, 2, 3)], T, Random(seed)) for seed in range(40)]


def test_the_index_of_free_agents_answers_as_the_plain_list_does() -> None:
    rng = Random(11)
    index = FreeAgents()
    for n in range(200):
        index.put(free(n, -rng.random() * 99, queues=rng.sample(range(1, 9), 3)))
    for n in range(0, 200, 3):
        index.remove(n)
    assert len(index) == 133
    assert 1 in index
    assert 0 not in index
    q = queues(*(QueueSettings(n, str(n)) for n in range(1, 9)))
    for n in range(1, 9):
        q.enter(f"c{n}", n, T, since=T)
        assert q.agent_for(f"c{n}", index, T, RNG) == q.agent_for(f"c{n}", list(index), T, RNG)


@given(st.integers(0, 10_000))
@settings(max_examples=80, deadline=None)
def test_the_answers_are_those_of_looking_at_every_caller_and_every_agent(seed: int) -> None:
    rng = Random(seed)
    skills = ["de", "fr", "vip"]
    rules = {
        n: QueueSettings(
            n,
            str(n),
            priority=rng.randint(0, 3),
            ageing_per_min=rng.choice([0.5, 1.0, 2.0]),
            members=tuple(Member(u, penalty=rng.randint(0, 2)) for u in rng.sample(range(1, 13), 6)),
            skills=tuple(
                SkillNeed(s, rng.randint(1, 9), rng.choice([0.0, 20.0, 45.0]), rng.randint(0, 9))
                for s in rng.sample(skills, rng.randint(0, 2))
            ),
        )
        for n in range(1, 5)
    }
    q = queues(*rules.values())
    agents = [
        free(
            u,
            -u - rng.random(),
            rng.sample(range(1, 5), 2),
            skills={s: rng.randint(1, 10) for s in skills if rng.random() < 0.7},
        )
        for u in range(1, 13)
    ]
    calls = []
    for n in range(40):
        own = {rng.choice(skills): rng.randint(1, 9)} if rng.random() < 0.4 else {}
        call = scan.Waits(f"c{n}", rng.randint(1, 4), T + rng.random() * 300, rng.choice([0, 0, 1, 3]), own)
        calls.append(call)
        q.enter(call.call_id, call.queue_id, T + 300, since=call.since, priority=call.priority, skills=call.skills)
    now = T + 300 + rng.random() * 200
    index = FreeAgents(agents)
    for call in calls:
        assert q.agent_for(call.call_id, index, now, RNG) == scan.agent_for(rules, call, agents, now)
    for agent in agents:
        assert q.call_for(agent, index, now, RNG) == scan.call_for(rules, calls, agent, agents, now)
